"""Triples: sends each of MulDimIF's `(category, subtype, text)` to the reader for its label."""

from types import MappingProxyType

from data.muldimif.content import read_identifier, read_keywords, read_punctuation
from data.muldimif.language import read_chinese, read_english
from data.muldimif.lengths import NOUNS, other_lengths, read_length
from data.muldimif.markup import read_json, read_markdown, read_plain_text, read_table, read_xml
from data.muldimif.reading import Reading, unread

READERS = MappingProxyType(
    {
        "keyword": read_keywords,
        "identifier": read_identifier,
        "punctuation": read_punctuation,
        "chinese": read_chinese,
        "english": read_english,
        "paragraph": read_length("paragraph"),
        "sentence": read_length("sentence"),
        "word": read_length("word"),
        "json": read_json,
        "xml": read_xml,
        "table": read_table,
        "markdown": read_markdown,
        "text": read_plain_text,
    }
)
"""Key word of a label -> the reader of its texts."""


def read_triple(category: str, subtype: str, text: str) -> Reading:
    """Read one triple `(category, subtype, text)`; labels vary, so only their key word counts.

    A text that cannot be read by its label, but mentions Markdown, is read as Markdown.
    """
    label = f"{category} {subtype}".lower()
    reader = next((reader for word, reader in READERS.items() if word in label), None)
    if reader is None:
        return unread(f"no verifier for {category}/{subtype}")
    reading = reader(text.strip())
    if reading.reason:
        return read_markdown(text) if "markdown" in text.lower() else reading
    noun = next((noun for noun in NOUNS if reader is READERS[noun]), None)
    beside = other_lengths(text, noun) if not any(kind.startswith("table:") for kind, _ in reading.rules) else Reading()
    return Reading(rules=reading.rules + beside.rules, weaker=reading.weaker or beside.weaker)
