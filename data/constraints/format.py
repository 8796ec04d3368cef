"""Format constraint kinds: headings, lists, highlights and other Markdown structure."""

from random import Random
from typing import Any

from data.constraints.taxonomy import (
    Arguments,
    ConstraintKind,
    count_phrase,
    counting_kind,
    draw_choice,
    fixed_kind,
    template_kind,
)
from data.instructions import Instruction


def _highlights_phrasings(kwargs: Arguments) -> list[str]:
    parts = count_phrase(kwargs["num_highlights"], "part")
    return [
        f"highlight at least {parts} with asterisks, like *this*",
        f"put *asterisks* around at least {parts} of your answer",
        f"mark at least {parts} as *highlighted*",
    ]


def _bullets_phrasings(kwargs: Arguments) -> list[str]:
    points = count_phrase(kwargs["num_bullets"], "bullet point")
    return [
        f"give exactly {points}, each on its own line after a *",
        f"answer in exactly {points} that begin with *",
        f"use exactly {points} such as * this one",
    ]


def _levels(rng: Random, instruction: Instruction) -> dict[str, Any]:
    return {"levels": rng.choice(([1], [2], [3], [1, 2], [2, 3]))}


def _levels_phrasings(kwargs: Arguments) -> list[str]:
    levels = kwargs["levels"]
    if len(levels) == 1:
        mark = "#" * levels[0]
        return [
            f"use a level {levels[0]} heading",
            f"include a Markdown heading of level {levels[0]}",
            f"add a heading that starts with {mark}",
        ]
    quoted = f"{', '.join(map(str, levels[:-1]))} and {levels[-1]}"
    return [
        f"use headings of levels {quoted}",
        f"include Markdown headings of levels {quoted}",
        f"structure your answer with headings of levels {quoted}",
    ]


DETECTABLE = (
    fixed_kind(
        "detectable_format:title",
        "format",
        "give a title in double angle brackets, such as <<title>>",
        "add a title wrapped like <<this>>",
        "include a <<title>> in double angle brackets",
        short=True,
    ),
    ConstraintKind(
        id="detectable_format:number_highlighted_sections",
        category="format",
        draw=lambda rng, instruction: {"num_highlights": rng.randint(1, 2)},
        phrasings=_highlights_phrasings,
        short=True,
    ),
    ConstraintKind(
        id="detectable_format:number_bullet_lists",
        category="format",
        draw=lambda rng, instruction: {"num_bullets": rng.randint(2, 3)},
        phrasings=_bullets_phrasings,
        short=True,
    ),
    template_kind(
        "detectable_format:multiple_sections",
        "format",
        lambda rng, instruction: {
            "section_spliter": rng.choice(("Section", "PART")),
            "num_sections": rng.randint(2, 3),
        },
        "write {num_sections} sections, each marked {section_spliter} X with its number",
        "divide your answer into {num_sections} sections headed {section_spliter} 1 and so on",
        "mark {num_sections} sections with {section_spliter} and a number",
    ),
    fixed_kind(
        "detectable_format:constrained_response",
        "format",
        "include 'My answer is yes.', 'My answer is no.' or 'My answer is maybe.'",
        "answer with 'My answer is yes.', 'My answer is no.' or 'My answer is maybe.'",
        "choose from 'My answer is yes.', 'My answer is no.' and 'My answer is maybe.'",
    ),
)
MARKDOWN = (
    ConstraintKind(id="format:heading_levels", category="format", draw=_levels, phrasings=_levels_phrasings),
    counting_kind("format:headings", "format", "num_headings", "heading", numbers=(1, 3), where=" in Markdown"),
    counting_kind(
        "format:heading_depth",
        "format",
        "num_levels",
        "different heading level",
        numbers=(1, 3),
        relations=("at least", "exactly"),
    ),
    counting_kind("format:block_quotes", "format", "num_quotes", "Markdown block quote", numbers=(1, 2)),
    counting_kind("format:bold", "format", "num_bold", "piece of **bold** text", numbers=(1, 3)),
    counting_kind("format:bullet_items", "format", "num_items", "bullet item", numbers=(2, 4)),
    counting_kind("format:numbered_items", "format", "num_items", "numbered item", numbers=(2, 4)),
    counting_kind(
        "format:checked_items", "format", "num_items", "item of a task list", numbers=(2, 3), where=" such as - [ ]"
    ),
    counting_kind("format:code_fences", "format", "num_fences", "fenced code block", numbers=(1, 2)),
    counting_kind("format:markdown_links", "format", "num_links", "link of the form [text](address)", numbers=(1, 2)),
    counting_kind("format:rules", "format", "num_rules", "horizontal rule", numbers=(1, 2)),
    template_kind(
        "format:list_depth",
        "format",
        lambda rng, instruction: {"depth": rng.randint(1, 2), "relation": rng.choice(("at least", "exactly"))},
        "nest your lists {relation} {depth} deep",
        "use lists nested {relation} {depth} deep",
        "have lists that go {relation} {depth} deep",
    ),
    template_kind(
        "format:code_language",
        "format",
        draw_choice("language", ("python", "bash", "json")),
        "include a fenced code block marked {language}",
        "add a ```{language} code block",
        "put some {language} into a fenced block that names it",
    ),
    fixed_kind(
        "format:no_lists",
        "format",
        "avoid lists",
        "use no bullet points and no numbered lists",
        "write without any list",
    ),
    fixed_kind(
        "format:plain_text",
        "format",
        "write plain text without any Markdown",
        "use no Markdown at all",
        "avoid headings, lists, tables and other Markdown",
    ),
)
KINDS = (*DETECTABLE, *MARKDOWN)
