"""Structured constraint kinds: tables, JSON and XML."""

import json
from random import Random
from typing import Any

from data.constraints.taxonomy import (
    Arguments,
    ConstraintKind,
    counting_kind,
    draw_choice,
    fixed_kind,
    relation_phrase,
    template_kind,
)
from data.instructions import Instruction

HEADERS = (["Name", "Use"], ["Item", "Reason"], ["What", "Why", "When"])
KEYS = (["answer"], ["answer", "reason"], ["title", "text"])
SCHEMA = {"type": "object", "required": ["answer"], "properties": {"answer": {"type": "string"}}}


def _table_phrasings(noun: str):
    def phrasings(kwargs: Arguments) -> list[str]:
        amount = relation_phrase(kwargs["relation"], kwargs[f"num_{noun}s"], noun)
        return [
            f"include a table with {amount}",
            f"use a Markdown table of {amount}",
            f"give a table that has {amount}",
        ]

    return phrasings


def _table(noun: str, numbers: tuple[int, int]) -> ConstraintKind:
    return ConstraintKind(
        id=f"table:num_{noun}s",
        category="format",
        draw=lambda rng, instruction: {
            f"num_{noun}s": rng.randint(*numbers),
            "relation": rng.choice(("exactly", "at most", "at least")),
        },
        phrasings=_table_phrasings(noun),
    )


def _limit(noun: str) -> ConstraintKind:
    return template_kind(
        f"table:{noun}_limit",
        "format",
        draw_choice("maximum", (2, 3, 5)),
        f"give any table at most {{maximum}} {noun}s",
        f"limit every table you use to {{maximum}} {noun}s",
        f"let no table have more than {{maximum}} {noun}s",
    )


def _depth(rng: Random, instruction: Instruction) -> dict[str, Any]:
    return {"depth": rng.randint(1, 3), "relation": rng.choice(("exactly", "at most", "at least"))}


def _depth_phrasings(kwargs: Arguments) -> list[str]:
    depth = relation_phrase(kwargs["relation"], kwargs["depth"], "level of nesting")
    return [f"include JSON objects with {depth}", f"give a JSON object with {depth}", f"use JSON that has {depth}"]


def _schema_phrasings(kwargs: Arguments) -> list[str]:
    schema = json.dumps(kwargs["json_schema"])
    return [
        f"include JSON that fits the schema {schema}",
        f"give JSON valid under {schema}",
        f"use JSON for this schema: {schema}",
    ]


TABLES = (
    _table("row", (1, 4)),
    _table("column", (2, 4)),
    _limit("row"),
    _limit("column"),
    template_kind(
        "table:header",
        "format",
        draw_choice("columns", HEADERS),
        "include a table with the columns {columns}",
        "give a table headed {columns}",
        "use a table whose header reads {columns}",
    ),
    counting_kind(
        "length:words_per_cell",
        "length",
        "num_words",
        "word",
        numbers=(2, 4),
        relations=("at least", "at most"),
        where=" in every cell of a table",
    ),
    template_kind(
        "punctuation:cell_mark",
        "content",
        draw_choice("mark", (".", "!")),
        "end every cell of a table with '{mark}'",
        "finish each table cell with '{mark}'",
        "let all cells of your table close with '{mark}'",
    ),
    fixed_kind(
        "change_case:table_title_case",
        "language",
        "start each word in a table with a capital letter",
        "capitalize every word of your table",
        "give a table in which every word has a capital",
    ),
    fixed_kind(
        "change_case:heading_title_case",
        "language",
        "start each word of your headings with a capital letter",
        "capitalize every word of every Markdown heading",
        "give headings in which every word has a capital",
    ),
    template_kind(
        "table:comma_separated",
        "format",
        draw_choice("num_columns", (2, 3)),
        "write comma-separated values, {num_columns} on every line",
        "answer as CSV with {num_columns} values a line",
        "put {num_columns} values with commas between them on each line",
    ),
)
JSON = (
    fixed_kind(
        "detectable_format:json_format",
        "format",
        "write your whole answer as JSON",
        "answer in JSON only",
        "wrap the entire output in JSON format",
    ),
    template_kind(
        "json:keys",
        "format",
        draw_choice("keys", KEYS),
        "include a JSON object with the keys {keys}",
        "give a JSON object that has {keys}",
        "put a JSON object with {keys} in your answer",
    ),
    ConstraintKind(id="json:nesting", category="format", draw=_depth, phrasings=_depth_phrasings),
    ConstraintKind(
        id="json:schema", category="format", draw=draw_choice("json_schema", (SCHEMA,)), phrasings=_schema_phrasings
    ),
)
XML = (
    fixed_kind(
        "xml:well_formed",
        "format",
        "include a well-formed XML document",
        "give some well-formed XML",
        "use XML whose tags are all closed",
    ),
    template_kind(
        "xml:required_elements",
        "format",
        draw_choice("elements", (["note"], ["title", "text"], ["answer"])),
        "include XML with the elements {elements}",
        "give an XML document that has {elements} as elements",
        "use XML tags named {elements}",
    ),
    counting_kind("xml:num_attributes", "format", "num_attributes", "attribute of XML elements in all", numbers=(1, 3)),
    counting_kind(
        "xml:attributes_per_element",
        "format",
        "num_attributes",
        "attribute",
        numbers=(1, 2),
        where=" on every XML element",
    ),
)
KINDS = (*TABLES, *JSON, *XML)
