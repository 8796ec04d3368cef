"""Draft writing: turns a draft into text with a given number of sentences and filler words."""

import json
from itertools import islice

from data.witness.draft import Draft, filler, phrase, titled


def write(draft: Draft, *, num_sentences: int, num_filler: int) -> str:
    """Return the draft as text, with `num_filler` filler words shared among `num_sentences` sentences."""
    body = "\n".join(draft.body_lines) or _running_text(draft, num_sentences, num_filler)
    parts = [*draft.head, body, *draft.lines, *_table(draft), *_json(draft), *_xml(draft)]
    lines = "\n".join(part for part in parts if part).split("\n")
    lines += [phrase(draft, 2, skip=number) for number in range(sum(map(bool, lines)), draft.num_lines)]
    text = "\n".join(lines) + (f" {draft.closing}" if draft.closing else "")
    if draft.end_mark and not text.endswith(draft.end_mark):
        text = text.rstrip(".!?") + draft.end_mark
    for edit in draft.final_edits:
        text = edit(text)
    return text


def _running_text(draft: Draft, num_sentences: int, num_filler: int) -> str:
    num_paragraphs = max(draft.paragraphs[0], 1)
    num_sentences = max(num_sentences, num_paragraphs)
    sentences = _sentences(draft, num_sentences, num_filler)
    cuts = [num_sentences * number // num_paragraphs for number in range(num_paragraphs + 1)]
    for number, opening in draft.paragraph_openings.items():
        if number < num_paragraphs:
            sentences[cuts[number]].insert(0, opening)
    if draft.opening:
        sentences[0].insert(0, draft.opening)
    for position, word in sorted(draft.word_positions.items()):
        sentences[0] = " ".join(sentences[0]).split()
        sentences[0].insert(position - 1, word)
    written = [_marked(draft, number, words) for number, words in enumerate(sentences)]
    paragraphs = [" ".join(filter(None, written[cuts[number] : cuts[number + 1]])) for number in range(num_paragraphs)]
    return draft.paragraph_break.join(paragraphs)


def _sentences(draft: Draft, num_sentences: int, num_filler: int) -> list[list[str]]:
    source = filler(draft)
    sentences = []
    for number, share in enumerate(_shares(num_filler, num_sentences, growing=draft.growing)):
        opening = draft.sentence_openings.get(number, draft.each_opening)
        ending = draft.sentence_endings.get(number, []) + (
            draft.sentence_endings.get(-1, []) if number == num_sentences - 1 else []
        )
        spread = draft.words[number::num_sentences]
        sentences.append([*([opening] if opening else []), *islice(source, share), *spread, *ending])
    return sentences


def _shares(total: int, parts: int, *, growing: bool) -> list[int]:
    """Split the total into about equal parts, or into parts each larger than the one before."""
    if growing:
        return [total // parts + number for number in range(parts)]
    return [total * (number + 1) // parts - total * number // parts for number in range(parts)]


def _marked(draft: Draft, number: int, words: list[str]) -> str:
    if not words:
        return ""
    text = " ".join(words)
    mark = draft.sentence_mark or next((mark for mark in ".!?" if mark not in draft.banned_characters), "")
    return f"{text[0].upper()}{text[1:]}{'?' if number < draft.num_questions else mark}"


def _table(draft: Draft) -> list[str]:
    if not draft.columns:
        return []
    rows = [
        [
            titled(phrase(draft, draft.cell_words, skip=row + column)) + draft.cell_mark
            for column in range(len(draft.columns))
        ]
        for row in range(draft.num_rows)
    ]
    lines = [draft.columns, ["---"] * len(draft.columns), *rows]
    return ["\n" + "\n".join(f"| {' | '.join(cells)} |" for cells in lines)]


def _json(draft: Draft) -> list[str]:
    return [json.dumps(draft.json)] if draft.json else []


def _xml(draft: Draft) -> list[str]:
    if not draft.tags:
        return []
    outer, inner = ("".join(f' a{number}="1"' for number in range(count or 0)) for count in draft.attributes)
    root, *inner_tags = draft.tags
    return [f"<{root}{outer}>{''.join(f'<{tag}{inner}>x</{tag}>' for tag in inner_tags) or 'x'}</{root}>"]
