"""Format constraints of structured answers: tables, JSON and XML."""

import json
from random import Random
from typing import Any

from data.constraints.taxonomy import Arguments, ConstraintKind, counting, drawn_from, fixed, naming, related
from data.instructions import Instruction

HEADERS = (["Name", "Use"], ["Item", "Reason"], ["What", "Why", "When"])
KEYS = (["answer"], ["answer", "reason"], ["title", "text"])
SCHEMA = {"type": "object", "required": ["answer"], "properties": {"answer": {"type": "string"}}}


def _say_table(noun: str):
    def say(kwargs: Arguments) -> list[str]:
        amount = related(kwargs["relation"], kwargs[f"num_{noun}s"], noun)
        return [
            f"include a table with {amount}",
            f"use a Markdown table of {amount}",
            f"give a table that has {amount}",
        ]

    return say


def _table(noun: str, numbers: tuple[int, int]) -> ConstraintKind:
    return ConstraintKind(
        id=f"table:num_{noun}s",
        category="format",
        draw=lambda rng, instruction: {
            f"num_{noun}s": rng.randint(*numbers),
            "relation": rng.choice(("exactly", "at most", "at least")),
        },
        say=_say_table(noun),
    )


def _limit(noun: str) -> ConstraintKind:
    return naming(
        f"table:{noun}_limit",
        "format",
        drawn_from("maximum", (2, 3, 5)),
        f"give any table at most {{maximum}} {noun}s",
        f"limit every table you use to {{maximum}} {noun}s",
        f"let no table have more than {{maximum}} {noun}s",
    )


def _depth(rng: Random, instruction: Instruction) -> dict[str, Any]:
    return {"depth": rng.randint(1, 3), "relation": rng.choice(("exactly", "at most", "at least"))}


def _say_depth(kwargs: Arguments) -> list[str]:
    depth = related(kwargs["relation"], kwargs["depth"], "level of nesting")
    return [f"include JSON objects with {depth}", f"give a JSON object with {depth}", f"use JSON that has {depth}"]


def _say_schema(kwargs: Arguments) -> list[str]:
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
    naming(
        "table:header",
        "format",
        drawn_from("columns", HEADERS),
        "include a table with the columns {columns}",
        "give a table headed {columns}",
        "use a table whose header reads {columns}",
    ),
    counting(
        "length:words_per_cell",
        "length",
        "num_words",
        "word",
        numbers=(2, 4),
        relations=("at least", "at most"),
        where=" in every cell of a table",
    ),
    naming(
        "punctuation:cell_mark",
        "content",
        drawn_from("mark", (".", "!")),
        "end every cell of a table with '{mark}'",
        "finish each table cell with '{mark}'",
        "let all cells of your table close with '{mark}'",
    ),
    fixed(
        "change_case:table_title_case",
        "language",
        "start each word in a table with a capital letter",
        "capitalize every word of your table",
        "give a table in which every word has a capital",
    ),
    fixed(
        "change_case:heading_title_case",
        "language",
        "start each word of your headings with a capital letter",
        "capitalize every word of every Markdown heading",
        "give headings in which every word has a capital",
    ),
    naming(
        "table:comma_separated",
        "format",
        drawn_from("num_columns", (2, 3)),
        "write comma-separated values, {num_columns} on every line",
        "answer as CSV with {num_columns} values a line",
        "put {num_columns} values with commas between them on each line",
    ),
)
JSON = (
    fixed(
        "detectable_format:json_format",
        "format",
        "write your whole answer as JSON",
        "answer in JSON only",
        "wrap the entire output in JSON format",
    ),
    naming(
        "json:keys",
        "format",
        drawn_from("keys", KEYS),
        "include a JSON object with the keys {keys}",
        "give a JSON object that has {keys}",
        "put a JSON object with {keys} in your answer",
    ),
    ConstraintKind(id="json:nesting", category="format", draw=_depth, say=_say_depth),
    ConstraintKind(id="json:schema", category="format", draw=drawn_from("json_schema", (SCHEMA,)), say=_say_schema),
)
XML = (
    fixed(
        "xml:well_formed",
        "format",
        "include a well-formed XML document",
        "give some well-formed XML",
        "use XML whose tags are all closed",
    ),
    naming(
        "xml:required_elements",
        "format",
        drawn_from("elements", (["note"], ["title", "text"], ["answer"])),
        "include XML with the elements {elements}",
        "give an XML document that has {elements} as elements",
        "use XML tags named {elements}",
    ),
    counting("xml:num_attributes", "format", "num_attributes", "attribute of XML elements in all", numbers=(1, 3)),
    counting(
        "xml:attributes_per_element",
        "format",
        "num_attributes",
        "attribute",
        numbers=(1, 2),
        where=" on every XML element",
    ),
)
KINDS = (*TABLES, *JSON, *XML)
