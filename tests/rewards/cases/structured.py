"""JSON and XML: (kind, arguments, completion, margin, text under the evidence; ... = the whole completion)."""

NESTED = '{"a": {"b": [{"c": 1}]}}'  # the list adds no level: three objects deep
SAID = f"It is {{not}} this but {NESTED} here."
BOOKS = '<books><book id="7" lang="en"/><book/></books>'
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, "required": ["a"]}

CASES = [
    ("detectable_format:json_format", {}, '```json\n{"a": 1}\n```', 0, ...),
    ("detectable_format:json_format", {}, '{"a": 1,}', -1, ...),
    ("json:nesting", {"depth": 3, "relation": "exactly"}, SAID, 0, [NESTED]),
    ("json:nesting", {"depth": 2, "relation": "at most"}, NESTED, -1, ...),
    ("json:nesting", {"depth": 2, "relation": "at most"}, "No {JSON}.", -1, []),
    ("json:keys", {"keys": ["a"]}, SAID, 0, [NESTED]),
    ("json:keys", {"keys": ["a", "b", "c"]}, "```\n" + NESTED + "\n```", -2, [NESTED]),
    ("json:schema", {"json_schema": SCHEMA}, '{"a": 1}', 0, ...),
    ("json:schema", {"json_schema": SCHEMA}, '{"b": 1}', -2, ...),  # "a" is missing, "b" is no string
    ("xml:well_formed", {}, f"So: {BOOKS}", 0, ["<books>"]),
    ("xml:well_formed", {}, "<a><b></a>", -1, []),
    ("xml:well_formed", {}, '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', -1, []),
    ("xml:required_elements", {"elements": ["book", "books"]}, BOOKS, 0, ['<book id="7" lang="en"/>', "<books>"]),
    ("xml:required_elements", {"elements": ["book", "page"]}, BOOKS, -1, []),
    ("xml:num_attributes", {"num_attributes": 2, "relation": "exactly"}, BOOKS, 0, ['<book id="7" lang="en"/>']),
    ("xml:num_attributes", {"num_attributes": 1, "relation": "at most"}, BOOKS, -1, ['<book id="7" lang="en"/>']),
    ("xml:attributes_per_element", {"num_attributes": 2, "relation": "at most"}, BOOKS, 0, ...),
    (
        "xml:attributes_per_element",
        {"num_attributes": 1, "relation": "at most"},
        BOOKS,
        -1,
        ['<book id="7" lang="en"/>'],
    ),
]
