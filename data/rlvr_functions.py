"""RLVR-IFeval's functions: which constraint each of them checks, and under which names it takes its arguments."""

from collections.abc import Mapping
from typing import Any

from data.problems import Constraint
from rewards.errors import InputError

RELATION = {"quantifier": "relation"}

FUNCTIONS: dict[str, tuple[str, dict[str, str], dict[str, Any]]] = {
    "validate_end": ("startend:end_checker", {"end_phrase": "end_phrase"}, {}),
    "validate_forbidden_words": ("keywords:forbidden_words", {"forbidden_words": "forbidden_words"}, {}),
    "validate_frequency_capital_words": (
        "change_case:capital_word_frequency",
        {"N": "capital_frequency", "quantifier": "capital_relation"},
        {},
    ),
    "validate_highlighted_sections": ("detectable_format:number_highlighted_sections", {"N": "num_highlights"}, {}),
    "validate_json_format": ("detectable_format:json_format", {}, {}),
    "validate_lowercase": ("change_case:all_lowercase", {}, {}),
    "validate_no_commas": ("punctuation:no_comma", {}, {}),
    "validate_paragraphs": (
        "length_constraints:nth_paragraph_first_word",
        {"N": "num_paragraphs", "i": "nth_paragraph", "first_word": "first_word"},
        {},
    ),
    "validate_placeholders": ("detectable_content:number_placeholders", {"N": "num_placeholders"}, {}),
    "validate_quotation": ("startend:quotation", {}, {}),
    "validate_repeat_prompt": ("combination:repeat_prompt", {"original_prompt": "prompt_to_repeat"}, {}),
    "validate_response_language": ("language:response_language", {"language": "language"}, {}),
    "validate_sections": (
        "detectable_format:multiple_sections",
        {"section_splitter": "section_spliter", "N": "num_sections"},
        {},
    ),
    "validate_title": ("detectable_format:title", {}, {}),
    "validate_two_responses": ("combination:two_responses", {}, {}),
    "validate_uppercase": ("change_case:all_uppercase", {}, {}),
    "validate_word_constraint": ("length_constraints:number_words", {"N": "num_words", **RELATION}, {}),
    "verify_bullet_points": ("detectable_format:number_bullet_lists", {"N": "num_bullets"}, {}),
    "verify_keyword_frequency": (
        "keywords:frequency",
        {"word": "keyword", "N": "frequency"},
        {"relation": "exactly"},
    ),
    "verify_keywords": ("keywords:existence", {"keyword_list": "keywords"}, {}),
    "verify_letter_frequency": (
        "keywords:letter_frequency",
        {"letter": "letter", "N": "let_frequency"},
        {"let_relation": "exactly"},
    ),
    # Its prompts ask for paragraphs divided by `* * *`, IFEval's by `***`.
    "verify_paragraph_count": ("combination:parts", {"N": "num_parts"}, {"divider": "* * *"}),
    "verify_postscript": ("detectable_content:postscript", {"postscript_marker": "postscript_marker"}, {}),
    "verify_sentence_constraint": ("length_constraints:number_sentences", {"N": "num_sentences", **RELATION}, {}),
}
"""Function -> the kind that checks the same, its argument names -> ours, and the arguments that it leaves unsaid."""


def function_constraint(truth: Mapping[str, Any]) -> Constraint:
    """Return the constraint that a ground truth `{func_name, argument: value or null, ...}` names.

    Raises InputError for a function without a kind of ours, such as `validate_choice`.
    """
    name = truth["func_name"]
    if name not in FUNCTIONS:
        raise InputError(f"no verifier checks what the function {name!r} does; {len(FUNCTIONS)} others are read")
    kind, names, unsaid = FUNCTIONS[name]
    given = {ours: truth[theirs] for theirs, ours in names.items() if truth.get(theirs) is not None}
    return kind, given | unsaid
