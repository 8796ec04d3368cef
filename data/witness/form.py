"""Format, language and length steps: what these constraints add to a draft."""

import json
from collections.abc import Callable

from data.conflicts import bounds
from data.problems import Arguments
from data.witness.content import DraftStep, no_change, repeat_word, set_field, target_count
from data.witness.draft import Bounds, Draft, phrase, titled
from data.witness.lexicon import WORDS


def _title(draft: Draft, kwargs: Arguments) -> None:
    (draft.lines if draft.opening else draft.head).append(f"<<{phrase(draft, 2)}>>")


def _sections(draft: Draft, kwargs: Arguments) -> None:
    for number in range(1, kwargs["num_sections"] + 1):
        draft.lines += [f"{kwargs['section_spliter'].strip()} {number}", phrase(draft, 2)]


def _fixed_answer(draft: Draft, kwargs: Arguments) -> None:
    draft.lines.append("My answer is yes.")


def _items(key: str, mark: str) -> DraftStep:
    def step(draft: Draft, kwargs: Arguments) -> None:
        for number in range(target_count(kwargs, key)):
            text = phrase(draft, draft.item_words, skip=2 * number)
            draft.lines.append(f"{mark.format(number=number + 1)} {text}")

    return step


def _list_depth(draft: Draft, kwargs: Arguments) -> None:
    for depth in range(target_count(kwargs, "depth")):
        draft.lines.append(f"{'  ' * depth}- {phrase(draft, draft.item_words, skip=depth)}")


def _headings(levels: Callable[[Arguments], list[int]]) -> DraftStep:
    def step(draft: Draft, kwargs: Arguments) -> None:
        for number, level in enumerate(levels(kwargs)):
            draft.head.append(f"{'#' * level} {phrase(draft, draft.heading_words, skip=number)}")

    return step


def _quotes(draft: Draft, kwargs: Arguments) -> None:
    draft.lines += [f"\n> {phrase(draft, 2)}\n"] * target_count(kwargs, "num_quotes")


def _fences(draft: Draft, kwargs: Arguments) -> None:
    draft.lines += [f"```\n{phrase(draft, 2)}\n```"] * target_count(kwargs, "num_fences")


def _code(draft: Draft, kwargs: Arguments) -> None:
    draft.lines.append(f"```{kwargs['language']}\n{phrase(draft, 2)}\n```")


def _rules(draft: Draft, kwargs: Arguments) -> None:
    draft.lines += ["\n---\n"] * target_count(kwargs, "num_rules")


def _rows(draft: Draft, kwargs: Arguments) -> None:
    draft.num_rows = target_count(kwargs, "num_rows")
    draft.columns = draft.columns or ["Name", "Use"]


def _columns(draft: Draft, kwargs: Arguments) -> None:
    draft.columns = [f"Column {'ABCDEFGHIJ'[number % 10]}" for number in range(target_count(kwargs, "num_columns"))]


def _header(draft: Draft, kwargs: Arguments) -> None:
    draft.columns = kwargs["columns"]


def _with_table(change: DraftStep) -> DraftStep:
    def step(draft: Draft, kwargs: Arguments) -> None:
        draft.columns = draft.columns or ["Name", "Use"]
        change(draft, kwargs)

    return step


def _cell_words(draft: Draft, kwargs: Arguments) -> None:
    draft.cell_words = target_count(kwargs, "num_words")


def _titled_heading(draft: Draft, kwargs: Arguments) -> None:
    draft.head.append(f"# {titled(phrase(draft, draft.heading_words))}")


def _comma_separated(draft: Draft, kwargs: Arguments) -> None:
    draft.body_lines = [",".join(phrase(draft, 1, skip=number) for number in range(kwargs["num_columns"]))]


def _keys(keys: Callable[[Arguments], list[str]]) -> DraftStep:
    def step(draft: Draft, kwargs: Arguments) -> None:
        draft.json |= {key: phrase(draft, 1) for key in keys(kwargs)}

    return step


def _nesting(draft: Draft, kwargs: Arguments) -> None:
    inner: dict = {}
    for _ in range(target_count(kwargs, "depth") - 1):
        inner = {"part": inner}
    draft.json = {**inner, "answer": phrase(draft, 1)}


def _whole_json(draft: Draft, kwargs: Arguments) -> None:
    members, draft.json = draft.json, {}
    draft.final_edits.append(lambda text: json.dumps({**members, "answer": text}, ensure_ascii=False))


def _xml(draft: Draft, kwargs: Arguments) -> None:
    draft.tags = draft.tags or ["note"]


def _elements(draft: Draft, kwargs: Arguments) -> None:
    draft.tags = [*draft.tags, *kwargs["elements"]]


def _attributes(draft: Draft, kwargs: Arguments) -> None:
    _xml(draft, kwargs)
    draft.attributes = (target_count(kwargs, "num_attributes"), 0)


def _attributes_each(draft: Draft, kwargs: Arguments) -> None:
    _xml(draft, kwargs)
    number = target_count(kwargs, "num_attributes")
    draft.attributes = (number, number)


def _finishing(change: Callable[[str], str]) -> DraftStep:
    return lambda draft, kwargs: draft.final_edits.append(change)


def _capital_words(draft: Draft, kwargs: Arguments) -> None:
    low, _ = bounds({"relation": kwargs["capital_relation"], "number": kwargs["capital_frequency"]})
    draft.words += [word.upper() for word in phrase(draft, low, skip=1).split()]


def _response_language(draft: Draft, kwargs: Arguments) -> None:
    draft.language = kwargs["language"] if kwargs["language"] in WORDS else "en"


def _chinese(code: str) -> DraftStep:
    return lambda draft, kwargs: setattr(draft, "language", code)


def intersect_bounds(first: Bounds, second: Bounds) -> Bounds:
    """Return the counts that two pairs of bounds both allow."""
    limits = [bound[1] for bound in (first, second) if bound[1] is not None]
    return max(first[0], second[0]), min(limits, default=None)


def _bounding(field: str) -> DraftStep:
    return lambda draft, kwargs: setattr(draft, field, intersect_bounds(getattr(draft, field), bounds(kwargs)))


def _distinct_words(draft: Draft, kwargs: Arguments) -> None:
    low, high = bounds(kwargs)
    draft.num_words = intersect_bounds(draft.num_words, (2 * low, high))


def _paragraphs(draft: Draft, kwargs: Arguments) -> None:
    draft.paragraphs = intersect_bounds((draft.paragraphs[0], None), bounds(kwargs))


def _divided(draft: Draft, kwargs: Arguments) -> None:
    draft.paragraphs = (kwargs["num_paragraphs"], kwargs["num_paragraphs"])
    draft.paragraph_break = "\n\n***\n\n"


def _nth_paragraph(draft: Draft, kwargs: Arguments) -> None:
    draft.paragraphs = (kwargs["num_paragraphs"], kwargs["num_paragraphs"])
    draft.paragraph_openings[kwargs["nth_paragraph"] - 1] = kwargs["first_word"]


def _lines(draft: Draft, kwargs: Arguments) -> None:
    draft.num_lines = kwargs["minimum"]


def _per_paragraph(field: str) -> DraftStep:
    def step(draft: Draft, kwargs: Arguments) -> None:
        low, high = bounds(kwargs)
        number = max(draft.paragraphs[0], 1)
        limits = (low * number, None if high is None else high * number)
        setattr(draft, field, intersect_bounds(getattr(draft, field), limits))

    return step


def _item_words(draft: Draft, kwargs: Arguments) -> None:
    draft.item_words = target_count(kwargs, "num_words")
    draft.lines.append(f"- {phrase(draft, draft.item_words)}")


def _heading_words(draft: Draft, kwargs: Arguments) -> None:
    draft.heading_words = target_count(kwargs, "num_words")
    draft.head.append(f"# {phrase(draft, draft.heading_words)}")


def _growing(draft: Draft, kwargs: Arguments) -> None:
    draft.sentences = intersect_bounds(draft.sentences, (2, None))
    draft.growing = True


LIMITS: dict[str, DraftStep] = {
    "language:response_language": _response_language,
    "language:simplified_chinese": _chinese("zh-cn"),
    "language:traditional_chinese": _chinese("zh-tw"),
    "length:letters_per_word": lambda draft, kwargs: setattr(draft, "max_letters", target_count(kwargs, "num_letters")),
    "length:paragraph_range": _paragraphs,
    "length_constraints:number_paragraphs": _divided,
    "length_constraints:nth_paragraph_first_word": _nth_paragraph,
}
"""Steps that limit the filler words, or the number of parts that other steps count."""

STEPS: dict[str, DraftStep] = {
    "length:word_range": _bounding("num_words"),
    "length_constraints:number_words": _bounding("num_words"),
    "length:distinct_words": _distinct_words,
    "length:sentence_range": _bounding("sentences"),
    "length_constraints:number_sentences": _bounding("sentences"),
    "length:character_range": _bounding("characters"),
    "length:line_range": _lines,
    "length:words_per_sentence": _bounding("sentence_words"),
    "length:words_per_line": _bounding("num_words"),
    "length:words_per_paragraph": _per_paragraph("num_words"),
    "length:sentences_per_paragraph": _per_paragraph("sentences"),
    "length:words_per_item": _item_words,
    "length:words_per_heading": _heading_words,
    "length:growing_sentences": _growing,
    "detectable_format:title": _title,
    "detectable_format:number_bullet_lists": _items("num_bullets", "*"),
    "detectable_format:number_highlighted_sections": repeat_word("num_highlights", lambda word: f"*{word}*"),
    "detectable_format:multiple_sections": _sections,
    "detectable_format:constrained_response": _fixed_answer,
    "format:heading_levels": _headings(lambda kwargs: kwargs["levels"]),
    "format:headings": _headings(lambda kwargs: [1] * target_count(kwargs, "num_headings")),
    "format:heading_depth": _headings(lambda kwargs: list(range(1, target_count(kwargs, "num_levels") + 1))),
    "format:block_quotes": _quotes,
    "format:bold": repeat_word("num_bold", lambda word: f"**{word}**"),
    "format:bullet_items": _items("num_items", "-"),
    "format:numbered_items": _items("num_items", "{number}."),
    "format:checked_items": _items("num_items", "- [ ]"),
    "format:list_depth": _list_depth,
    "format:code_fences": _fences,
    "format:code_language": _code,
    "format:markdown_links": repeat_word("num_links", lambda word: f"[{word}](https://example.org)"),
    "format:rules": _rules,
    "format:no_lists": no_change,
    "format:plain_text": no_change,
    "table:num_columns": _columns,
    "table:header": _header,
    "table:num_rows": _rows,
    "length:words_per_cell": _with_table(_cell_words),
    "punctuation:cell_mark": _with_table(set_field("cell_mark", "mark")),
    "change_case:table_title_case": _with_table(no_change),
    "change_case:heading_title_case": _titled_heading,
    "table:row_limit": no_change,
    "table:column_limit": no_change,
    "table:comma_separated": _comma_separated,
    "json:nesting": _nesting,
    "json:keys": _keys(lambda kwargs: kwargs["keys"]),
    "json:schema": _keys(lambda kwargs: kwargs["json_schema"].get("required", [])),
    "xml:required_elements": _elements,
    "xml:well_formed": _xml,
    "xml:num_attributes": _attributes,
    "xml:attributes_per_element": _attributes_each,
    "language:script": no_change,
    "change_case:sentence_capitals": no_change,
    "change_case:capital_word_frequency": _capital_words,
}

FRAMES: dict[str, DraftStep] = {
    "change_case:english_lowercase": _finishing(str.lower),
    "change_case:all_lowercase": _finishing(str.lower),
    "change_case:english_capital": _finishing(str.upper),
    "change_case:all_uppercase": _finishing(str.upper),
    "change_case:title_case": _finishing(titled),
    "detectable_format:json_format": _whole_json,
}
"""Steps that edit the finished text."""
