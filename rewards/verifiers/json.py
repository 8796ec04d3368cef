"""JSON verifiers: a completion that is or contains JSON, its nesting, its keys and its schema."""

import json
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator

from rewards.count_verdicts import Relation, relation_margin, whole_text_verdict
from rewards.markup import blocks_of, fenced_content
from rewards.semantics import Semantics
from rewards.text import strip_span
from rewards.verdict import Span, Verdict
from rewards.verifier_args import Count, Phrases

FENCES = ("```json", "```Json", "```JSON", "```")
MAX_TRIES = 32
"""Number of opening braces in running text at which JSON is tried."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JsonValue:
    """A JSON value and its span in the completion.

    Example:
        Found(value={"a": 1}, span=(7, 15))
    """

    value: Any
    span: Span


def _checked_schema(schema: dict[str, Any]) -> dict[str, Any]:
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"not a JSON schema: {error.message}") from None
    return schema


Schema = Annotated[dict[str, Any], AfterValidator(_checked_schema)]


def find_json(text: str) -> JsonValue | None:
    """Return the JSON value that is the text, or else that of its first fence, or else its first object in prose."""
    spans = [strip_span(text, (0, len(text))), *(fenced_content(text, fence) for fence in blocks_of(text, "fence"))]
    for span in spans:
        value = parse(text[slice(*span)])
        if value is not None:
            return JsonValue(value=value[0], span=strip_span(text, span))
    return _object_in_prose(text)


def parse(text: str) -> tuple[Any] | None:
    """Return the value in a 1-tuple, because the value itself may be null; None if the text is not JSON."""
    try:
        return (json.loads(text),)
    except (ValueError, RecursionError):  # not JSON, or nested too deeply
        return None


def _object_in_prose(text: str) -> JsonValue | None:
    start = -1
    for _ in range(MAX_TRIES):
        start = text.find("{", start + 1)
        if start < 0:
            return None
        try:
            value, end = json.JSONDecoder().raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        return JsonValue(value=value, span=(start, end))
    return None


def json_format(completion: str, *, semantics: Semantics) -> Verdict:
    """Check that the whole text is JSON, bare or in a code fence. Margin 0 or -1. (IFEval)

    reward: an object or array that holds something. eval: any value, such as 1.
    """
    text = completion.strip()
    for fence in FENCES:
        text = text.removeprefix(fence)
    value = parse(text.removesuffix("```").strip())
    is_filled = value is not None and isinstance(value[0], dict | list) and bool(value[0])
    return whole_text_verdict(completion, 0.0 if value and (semantics == "eval" or is_filled) else -1.0)


def nesting(completion: str, *, depth: Count, relation: Relation) -> Verdict:
    """Check how deeply objects are nested in the JSON found; {} has depth 1. Margin in levels, or -1 without JSON."""
    document = find_json(completion)
    margin = relation_margin(object_depth(document.value), depth, relation) if document else -1.0
    return _about(document, margin)


def keys(completion: str, *, keys: Phrases) -> Verdict:
    """Check that the JSON found is an object with all these keys. Margin: minus the missing keys."""
    document = find_json(completion)
    value = document.value if document and isinstance(document.value, dict) else {}
    return _about(document, -float(sum(key not in value for key in keys)))


def fits_schema(completion: str, *, json_schema: Schema) -> Verdict:
    """Check the JSON found against the JSON schema (draft 2020-12). Margin: minus the errors, or -1 without JSON."""
    document = find_json(completion)
    return _about(document, -float(_num_errors(document.value, json_schema)) if document else -1.0)


def object_depth(value: Any) -> int:
    """Return how deeply objects are nested, not counting lists; computed without recursion."""
    deepest, open_values = 0, [(value, 0)]
    while open_values:
        value, depth = open_values.pop()
        if isinstance(value, dict):
            depth += 1
            deepest = max(deepest, depth)
            open_values.extend((inner, depth) for inner in value.values())
        elif isinstance(value, list):
            open_values.extend((inner, depth) for inner in value)
    return deepest


def _num_errors(value: Any, json_schema: dict[str, Any]) -> int:
    from jsonschema import Draft202012Validator
    from referencing import Registry

    # An empty registry: references to other addresses are an error rather than a download.
    return sum(1 for _ in Draft202012Validator(json_schema, registry=Registry()).iter_errors(value))


def _about(document: JsonValue | None, margin: float) -> Verdict:
    return Verdict(satisfied=margin >= 0, margin=margin, evidence=(document.span,) if document else ())


VERIFIERS = {
    "detectable_format:json_format": json_format,
    "json:keys": keys,
    "json:nesting": nesting,
    "json:schema": fits_schema,
}
