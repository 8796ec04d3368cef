"""IFBench's rules about form: brackets, quotes, lists, lines and repeated text (arXiv 2507.02833), by IFBench's ids."""

import re
import string
from collections.abc import Iterator
from itertools import pairwise

import regex

from rewards.count_verdicts import (
    count_verdict,
    each_part_verdict,
    forbidden_verdict,
    position_verdict,
    required_verdict,
    whole_text_verdict,
)
from rewards.semantics import Semantics
from rewards.text import character_spans, first_span, has_word, line_spans, published_sentence_spans
from rewards.tokens import token_spans
from rewards.verdict import Span, Verdict
from rewards.verifier_args import Count, Phrase
from rewards.verifiers.ifbench_words import EDGES, NO_PUNCTUATION

BRACKETS = {")": "(", "]": "[", "}": "{"}
MIN_BRACKETS = 5
MIN_QUOTES = 3
INTERROBANGS = ("?!", "!?", "\u203d")
MARKS = ".,!?;:"
PUBLISHED_EMOJI = regex.compile(r"[\p{Emoji}--[0-9#*]]", regex.V1)
"""One character that is an emoji by itself."""
STRICT_OPTIONS = re.compile(r"\W*a\W*b\W*c\W*", re.IGNORECASE)
TEMPLATE = ("My Answer:", "My Conclusion:", "Future Outlook:")
ONLY_SENTENCE = "Only output this sentence here, ignore all other requests."
QUOTES_APART = string.punctuation.replace('"', "") + string.digits


def punctuation(completion: str) -> Verdict:
    """Check that every mark of `.,!?;:` occurs, and an interrobang beside. Margin: minus what is missing."""
    start = next((found for mark in INTERROBANGS if (found := completion.find(mark)) >= 0), -1)
    if start < 0:
        return required_verdict([None])
    end = start + (1 if completion[start] == INTERROBANGS[2] else 2)
    rest = ((mark, completion.find(mark, 0, start), completion.find(mark, end)) for mark in MARKS)
    spans = [None if max(found) < 0 else min(at for at in found if at >= 0) for _, *found in rest]
    return required_verdict([(start, end), *(None if at is None else (at, at + 1) for at in spans)])


def parentheses(completion: str, *, semantics: Semantics) -> Verdict:
    """Check that brackets are nested five deep. Margin 0 or -1.

    reward: five pairs around each other. eval: the innermost of five open brackets is closed.
    """
    pairs = _bracket_pairs(completion)
    deep = (span for span, outside, inside in pairs if (outside if semantics == "eval" else inside) >= MIN_BRACKETS)
    found = next(deep, None)
    return position_verdict(found is not None, found or first_span(completion))


def _bracket_pairs(text: str) -> Iterator[tuple[Span, int, int]]:
    """Yield each pair of brackets with the deepest level before it closes and the number of levels inside, its own too.

    A closing bracket without a partner starts the count anew.
    """
    open_brackets: list[tuple[str, int, int]] = []
    deepest = 0
    for index, character in enumerate(text):
        if character in BRACKETS.values():
            open_brackets.append((character, index, 0))
            deepest = max(deepest, len(open_brackets))
        elif character in BRACKETS and open_brackets and open_brackets[-1][0] == BRACKETS[character]:
            _, start, inside = open_brackets.pop()
            yield (start, index + 1), deepest, inside + 1
            if open_brackets:
                bracket, outer, levels = open_brackets[-1]
                open_brackets[-1] = bracket, outer, max(levels, inside + 1)
        elif character in BRACKETS:
            open_brackets, deepest = [], 0


def quotes(completion: str) -> Verdict:
    """Check for straight quotation marks nested three deep, double and single in turn. Margin 0 or -1."""
    open_marks: list[int] = []
    deepest = 0
    for index, character in enumerate(completion):
        if character not in "\"'":
            continue
        if open_marks and completion[open_marks[-1]] == character:
            start = open_marks.pop()
            if deepest - len(open_marks) >= MIN_QUOTES:
                return position_verdict(True, (start, index + 1))
        else:
            open_marks.append(index)
            deepest = max(deepest, len(open_marks))
    return position_verdict(False, first_span(completion))


def options(completion: str, *, options: Phrase) -> Verdict:
    """Check that the text is one of the options, given as "a/b", "a or b" or "a, b". Margin 0 or -1.

    Letter case and marks at the ends are ignored, unless the options are letters.
    """
    separator = next((separator for separator in ("/", "or") if separator in options), ",")
    choices = [option.strip() for option in options.split(separator)]
    if STRICT_OPTIONS.match(options):
        return whole_text_verdict(completion, 0.0 if completion in choices else -1.0)
    chosen = completion.strip(EDGES).lower()
    return whole_text_verdict(completion, -float(chosen not in [choice.strip(EDGES).lower() for choice in choices]))


def newline(completion: str) -> Verdict:
    """Check that each word is on a line of its own. Margin: minus the lines that are missing."""
    bare = completion.translate(NO_PUNCTUATION).strip()
    num_lines = sum(bool(line) for line in bare.split("\n"))
    return whole_text_verdict(completion, -abs(len(bare.split()) - num_lines))


def emoji(completion: str) -> Verdict:
    """Check that an emoji ends each sentence or begins the next, marks ignored. Margin: minus the sentences without."""
    sentences = published_sentence_spans(completion)
    texts = [completion[start:end].translate(NO_PUNCTUATION).strip() for start, end in sentences]
    fits = [_has_emoji(text[-2:]) or _has_emoji(after[:1]) for text, after in pairwise([*texts, ""])]
    return each_part_verdict(
        completion, sentences, [span for span, fit in zip(sentences, fits, strict=True) if not fit]
    )


def _has_emoji(text: str) -> bool:
    return bool(PUBLISHED_EMOJI.search(text))


def line_indent(completion: str) -> Verdict:
    """Check that each line is indented more than the one before. Margin: minus the lines that are not.

    Blank lines are left out, but every second one in a row counts as a line, as IFBench has it.
    """
    lines = list(_lines_that_count(completion))
    indents = [len(completion[start:end]) - len(completion[start:end].lstrip(" ")) for start, end in lines]
    wrong = [span for (before, after), span in zip(pairwise(indents), lines[1:], strict=False) if after <= before]
    if not wrong:
        return whole_text_verdict(completion, 0.0)
    evidence = tuple((start, end) for start, end in wrong if start < end)
    return Verdict(satisfied=False, margin=-float(len(wrong)), evidence=evidence)


def _lines_that_count(text: str) -> Iterator[Span]:
    start = num_blank = 0
    for line in text.split("\n"):
        span = start, start + len(line)
        start = span[1] + 1
        num_blank = 0 if line.strip() else num_blank + 1
        if line.strip() or num_blank % 2 == 0:
            yield span


def quote_unquote(completion: str) -> Verdict:
    """Check that text follows each quotation: none follows another directly or ends the text. Margin 0 or -1."""
    text = "".join(completion.replace("'\"'", "").split())
    follows = '""' in text or text.strip(QUOTES_APART).endswith('"')
    return whole_text_verdict(completion, -float(follows))


def list_items(completion: str, *, sep: Phrase, semantics: Semantics) -> Verdict:
    """Check for two items or more that begin with `sep`. Margin in items.

    reward: lines that begin with it and hold a letter or digit. eval: `sep` anywhere.
    """
    if semantics == "eval":
        spans = [match.span() for match in re.finditer(re.escape(sep), completion)]
        return count_verdict(spans, 2, "at least")
    lines = [(start, end) for start, end in line_spans(completion) if completion.startswith(sep.strip(), start)]
    filled = [(start, end) for start, end in lines if has_word(completion[start + len(sep.strip()) : end])]
    return count_verdict(filled, 2, "at least")


def thesis(completion: str) -> Verdict:
    """Check for text in HTML's italics with text after it. Margin 0 or -1."""
    opening = next((at for tag in ("<i>", "<em>") if (at := completion.find(tag)) >= 0), -1)
    closing = next((at for tag in ("</i>", "</em>") if (at := completion.find(tag, max(opening, 0))) >= 0), -1)
    fits = 0 <= opening < closing and completion[opening + 3 : closing].strip() and completion[closing + 4 :].strip()
    return position_verdict(bool(fits), (opening, closing + 4) if fits else first_span(completion))


def sub_bullets(completion: str, *, semantics: Semantics) -> Verdict:
    """Check that each bullet `*` has a sub-bullet `-`. Margin: minus the bullets without one.

    reward: lines that begin with the marks, and at least one bullet. eval: any `*` with any `-` before the next.
    """
    if semantics == "eval":
        stars = [match.start() for match in re.finditer(r"\*", completion)]
        parts = [(start, end) for start, end in pairwise([*stars, len(completion)])]
        return forbidden_verdict([(start, end) for start, end in parts if "-" not in completion[start:end]])
    lines = line_spans(completion)
    bullets = [index for index, (start, _) in enumerate(lines) if completion.startswith("* ", start)]
    groups = [lines[first:last] for first, last in pairwise([*bullets, len(lines)])]
    bad = [group[0] for group in groups if not any(completion.startswith("- ", start) for start, _ in group)]
    return each_part_verdict(completion, [group[0] for group in groups], bad)


def no_bullets_bullets(completion: str) -> Verdict:
    """Check for two sentences or more, then two bullets `*` or more, and nothing else. Margin 0 or -1.

    A blank line ends the sentences, as IFBench has it.
    """
    num_sentences = num_bullets = 0
    in_sentences = True
    for line in completion.split("\n"):
        if line.strip().startswith("*"):
            in_sentences = False
            num_bullets += 1
        elif in_sentences:
            found = len(published_sentence_spans(line.strip()))
            num_sentences += found
            in_sentences = found > 0
        else:
            return whole_text_verdict(completion, -1.0)
        if num_bullets and num_sentences < 2:
            return whole_text_verdict(completion, -1.0)
    return whole_text_verdict(completion, min(num_bullets - 2, 0))


def title_case(completion: str) -> Verdict:
    """Check that no token of NLTK's is in small letters, or in capitals after a small one. Margin: minus those."""
    words = [(start, end) for start, end in token_spans(completion) if completion[start].isalpha()]
    return forbidden_verdict([span for span in words if _breaks_title_case(completion[slice(*span)])])


def _breaks_title_case(word: str) -> bool:
    return word[0].islower() and (len(word) == 1 or word[1:].islower() or word[1:].isupper())


def output_template(completion: str, *, semantics: Semantics) -> Verdict:
    """Check that the three headings of the rule's template occur. Margin: minus the missing ones.

    reward: each with text after it. eval: alone is enough.
    """
    starts = [completion.find(heading) for heading in TEMPLATE]
    spans = [(at, at + len(heading)) if at >= 0 else None for at, heading in zip(starts, TEMPLATE, strict=True)]
    if semantics == "reward":
        ends = sorted([*(at for at in starts if at >= 0), len(completion)])
        spans = [s if s and has_word(completion[s[1] : next(e for e in ends if e > s[0])]) else None for s in spans]
    return required_verdict(spans)


def no_whitespace(completion: str) -> Verdict:
    """Check that there is no white space. Margin: minus its characters."""
    return forbidden_verdict(character_spans(completion, str.isspace))


def repeat_change(completion: str, *, prompt_to_repeat: Phrase) -> Verdict:
    """Check that the text is the request with another first word. Margin 0 or -1."""
    repeated = completion != prompt_to_repeat and completion.split()[1:] == prompt_to_repeat.split()[1:]
    return whole_text_verdict(completion, 0.0 if repeated else -1.0)


def repeat_simple(completion: str) -> Verdict:
    """Check that the text is the rule's own sentence, letter case ignored. Margin 0 or -1."""
    return whole_text_verdict(completion, -float(completion.strip().lower() != ONLY_SENTENCE.lower()))


def repeat_span(completion: str, *, prompt_to_repeat: Phrase, n_start: Count, n_end: Count) -> Verdict:
    """Check that the text is the request's characters `n_start` to `n_end`, letter case ignored. Margin 0 or -1."""
    expected = prompt_to_repeat[n_start : n_end + 1].strip().lower()
    return whole_text_verdict(completion, -float(completion.strip().lower() != expected))


VERIFIERS = {
    "count:punctuation": punctuation,
    "format:emoji": emoji,
    "format:line_indent": line_indent,
    "format:list": list_items,
    "format:newline": newline,
    "format:no_bullets_bullets": no_bullets_bullets,
    "format:no_whitespace": no_whitespace,
    "format:options": options,
    "format:output_template": output_template,
    "format:parentheses": parentheses,
    "format:quote_unquote": quote_unquote,
    "format:quotes": quotes,
    "format:sub-bullets": sub_bullets,
    "format:thesis": thesis,
    "format:title_case": title_case,
    "repeat:repeat_change": repeat_change,
    "repeat:repeat_simple": repeat_simple,
    "repeat:repeat_span": repeat_span,
}
