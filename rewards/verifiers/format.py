"""IFEval format verifiers: bullets, highlights, sections, titles and fixed answers."""

import re
from collections.abc import Iterator
from itertools import pairwise

from rewards.count_verdicts import count_verdict, required_verdict
from rewards.emphasis import emphases
from rewards.folding import plain
from rewards.markup import block_spans
from rewards.semantics import Semantics
from rewards.text import enclosed_spans, has_word
from rewards.verdict import Span, Verdict
from rewards.verifier_args import Count, Phrase

BULLET_STAR = re.compile(r"^[^\S\n]*(\*[^*].*)$", re.MULTILINE)
BULLET_DASH = re.compile(r"^[^\S\n]*(-.*)$", re.MULTILINE)
ITALIC = re.compile(r"\*([^\n*]*)\*")
BOLD = re.compile(r"\*\*([^\n*]*)\*\*")
FIXED_ANSWERS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")


def number_bullet_lists(completion: str, *, num_bullets: Count, semantics: Semantics) -> Verdict:
    """Check for an exact number of bullets. Margin in bullets. (IFEval)

    reward: items of Markdown lists with a letter or digit. eval: lines that begin with `-` or one `*`, such as `---`.
    """
    if semantics == "reward":
        items = [span for span in block_spans(completion, "bullet") if has_word(completion[slice(*span)])]
        return count_verdict(items, num_bullets, "exactly")
    bullets = [match.span(1) for pattern in (BULLET_STAR, BULLET_DASH) for match in pattern.finditer(completion)]
    return count_verdict(sorted(bullets), num_bullets, "exactly")


def constrained_response(completion: str, *, semantics: Semantics) -> Verdict:
    """Check that one of IFEval's three fixed answers occurs. Margin 0 or -1. (IFEval)

    reward: exactly one. eval: at least one.
    """
    starts = [(completion.find(answer), len(answer)) for answer in FIXED_ANSWERS]
    spans = [(start, start + size) for start, size in starts if start >= 0]
    given = spans if semantics == "eval" or len(spans) == 1 else []
    return required_verdict(given or [None])


def number_highlighted_sections(completion: str, *, num_highlights: Count, semantics: Semantics) -> Verdict:
    """Check for a minimum number of highlights, *one star* or **two**. Margin in highlights. (IFEval)

    reward: Markdown's emphasis, by underscores too, of text with a letter or digit. eval: whatever two stars enclose,
    such as `2 * 3 * 4`.
    """
    if semantics == "reward":
        return count_verdict([piece.span for piece in emphases(completion)], num_highlights, "at least")
    highlights = [
        match.span() for pattern in (ITALIC, BOLD) for match in pattern.finditer(completion) if match[1].strip("* \t")
    ]
    return count_verdict(sorted(highlights), num_highlights, "at least")


def multiple_sections(
    completion: str, *, section_spliter: Phrase, num_sections: Count, semantics: Semantics
) -> Verdict:
    """Check for a minimum number of section marks, the word and a number. Margin in sections. (IFEval)

    reward: the mark is a word of its own, has another number than those before it, and text follows it. eval: neither.
    """
    word = re.escape(section_spliter.strip())
    if semantics == "eval":
        spans = [match.span() for match in re.finditer(rf"{word}\s?\d+", completion)]
        return count_verdict(spans, num_sections, "at least")
    marks = list(re.finditer(rf"(?<!\w){word}\s?(\d+)", completion))
    edges = pairwise((*(mark.span() for mark in marks), (len(completion), 0)))
    filled = [has_word(completion[mark[1] : end]) for mark, (end, _) in edges]
    first = {
        mark[1]: mark.span() for mark, is_filled in zip(reversed(marks), reversed(filled), strict=True) if is_filled
    }
    return count_verdict(sorted(first.values()), num_sections, "at least")


def title(completion: str, *, prompt: str, semantics: Semantics) -> Verdict:
    """Check for a title in double angular brackets on one line, <<title>>. Margin 0 or -1. (IFEval)

    reward: it holds a letter or digit, and is not copied from the prompt's own brackets. eval: neither.
    """
    if semantics == "reward":
        return required_verdict([next(_own_titles(completion, prompt), None)])
    return required_verdict([next(filter(None, map(_bracketed, re.finditer(r"[^\n]+", completion))), None)])


def _own_titles(completion: str, prompt: str) -> Iterator[Span]:
    copied = {plain(prompt[slice(*span)]) for span in enclosed_spans(prompt, "<<", ">>")}
    for start, end in enclosed_spans(completion, "<<", ">>"):
        title = completion[start:end]
        if has_word(title) and plain(title) not in copied:
            yield start, end


def _bracketed(line: re.Match[str]) -> Span | None:
    """Return the span of the title in a line.

    Searched from both ends of the line: one pattern for it would take quadratic time on `<<<<...`.
    """
    opening, closing = line[0].find("<<"), line[0].rfind(">>")
    if opening < 0 or closing < opening + 3 or not line[0][opening : closing + 2].lstrip("<").rstrip(">").strip():
        return None
    return line.start() + opening, line.start() + closing + 2


VERIFIERS = {
    "detectable_format:number_bullet_lists": number_bullet_lists,
    "detectable_format:constrained_response": constrained_response,
    "detectable_format:number_highlighted_sections": number_highlighted_sections,
    "detectable_format:multiple_sections": multiple_sections,
    "detectable_format:title": title,
}
