"""Passages: where a prompt of IFEval states each of its constraints, which its data does not say."""

import re

from data.problems import ConstraintSpec, Problem, user_text
from rewards.verdict import Span

WORDING = {
    "punctuation:no_comma": r"commas?",
    "detectable_format:number_highlighted_sections": r"highlight\w*",
    "length_constraints:number_words": r"words?",
    "length_constraints:number_sentences": r"sentences?",
    "length_constraints:number_paragraphs": r"paragraphs?",
    "length_constraints:nth_paragraph_first_word": r"paragraphs?",
    "detectable_content:number_placeholders": r"placeholders?",
    "detectable_content:postscript": r"postscript|p\.\s?(?:p\.)?s\b",
    "detectable_format:number_bullet_lists": r"bullets?",
    "detectable_format:constrained_response": r"my answer is",
    "detectable_format:multiple_sections": r"sections?",
    "detectable_format:json_format": r"json",
    "detectable_format:title": r"title",
    "combination:two_responses": r"responses|asterisk\w*",
    "combination:repeat_prompt": r"repeat\w*",
    "startend:end_checker": r"end|ends|ending|finish|last",
    "startend:quotation": r"quot\w+",
    "change_case:capital_word_frequency": r"capital\w*",
    "change_case:english_capital": r"capital\w*|upper ?case",
    "change_case:english_lowercase": r"lower ?case\w*|capital\w*",
    "keywords:letter_frequency": r"letters?|times",
    "language:response_language": r"language|english|\w+ only",
}
"""Kind -> the words of which one stands in a sentence that states it."""
SENTENCE = re.compile(r"[^.!?\n]+[.!?]*[\"')\]]*")


def passages(problem: Problem, spec: ConstraintSpec) -> tuple[Span, ...]:
    """Return the spans of the user's message that state a constraint: its own, or the sentences with its words.

    Empty where no sentence has them.
    """
    if spec.spans:
        return spec.spans
    pattern = _wording(spec)
    text = user_text(problem)
    return tuple(match.span() for match in SENTENCE.finditer(text) if pattern is not None and pattern.search(match[0]))


def _wording(spec: ConstraintSpec) -> re.Pattern[str] | None:
    words = [value for given in spec.kwargs.values() for value in (given if isinstance(given, list) else [given])]
    named = [re.escape(word) for word in words if isinstance(word, str) and len(word) > 2]
    alternatives = [WORDING[spec.id]] if spec.id in WORDING else named if spec.id.startswith("keywords:") else []
    return re.compile(rf"\b(?:{'|'.join(alternatives)})", re.IGNORECASE) if alternatives else None
