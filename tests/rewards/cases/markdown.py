"""Markdown: (kind, arguments, completion, margin, text under the evidence; ... = the whole completion)."""

HEADED = "# Rain\n\ntext\n\n## Why\n\n```\n# no heading\n```\n\nHow\n---\n"
LISTED = "- a\n  - b\n\n1. c\n2. d\n"
QUOTED = "> a\n> b\n\ntext\n\n> c\n>> d\n"
TASKS = "- [ ] a\n- [x] b\n- c\n"
FENCED = "```python\nx = 1\n```\n"

CASES = [
    ("format:headings", {"num_headings": 3, "relation": "exactly"}, HEADED, 0, ["# Rain", "## Why", "How\n---"]),
    ("format:headings", {"num_headings": 2, "relation": "at most"}, HEADED, -1, ["How\n---"]),
    ("format:heading_levels", {"levels": [2, 1]}, HEADED, 0, ["## Why", "# Rain"]),
    ("format:heading_levels", {"levels": [1, 3]}, HEADED, -1, []),
    ("format:heading_depth", {"num_levels": 2, "relation": "at least"}, HEADED, 0, ["# Rain", "## Why"]),
    ("format:heading_depth", {"num_levels": 3, "relation": "at least"}, HEADED, -1, []),
    ("format:block_quotes", {"num_quotes": 2, "relation": "exactly"}, QUOTED, 0, ["> a\n> b", "> c\n>> d"]),
    ("format:block_quotes", {"num_quotes": 1, "relation": "at least"}, "a > b", -1, []),
    ("format:bullet_items", {"num_items": 2, "relation": "at least"}, LISTED, 0, ["- a", "- b"]),
    ("format:bullet_items", {"num_items": 2, "relation": "at least"}, "*a*\n-b", -2, []),
    ("format:numbered_items", {"num_items": 1, "relation": "at most"}, LISTED, -1, ["2. d"]),
    ("format:numbered_items", {"num_items": 2, "relation": "exactly"}, LISTED, 0, ["1. c", "2. d"]),
    ("format:list_depth", {"depth": 2, "relation": "exactly"}, LISTED, 0, ["- b"]),
    ("format:list_depth", {"depth": 1, "relation": "at most"}, LISTED, -1, ["- b"]),
    ("format:no_lists", {}, "a - b", 0, []),
    ("format:no_lists", {}, "1. a", -1, ["1. a"]),
    ("format:checked_items", {"num_items": 2, "relation": "exactly"}, TASKS, 0, ["- [ ] a", "- [x] b"]),
    ("format:checked_items", {"num_items": 3, "relation": "at least"}, TASKS, -1, []),
    ("format:code_fences", {"num_fences": 1, "relation": "at least"}, FENCED, 0, [FENCED.strip()]),
    ("format:code_fences", {"num_fences": 0, "relation": "exactly"}, FENCED, -1, [FENCED.strip()]),
    ("format:code_language", {"language": "Python"}, FENCED, 0, [FENCED.strip()]),
    ("format:code_language", {"language": "bash"}, FENCED, -1, []),
    ("format:rules", {"num_rules": 1, "relation": "at least"}, "a\n\n***\n\nb", 0, ["***"]),
    ("format:rules", {"num_rules": 1, "relation": "at least"}, "a\n---\nb", -1, []),  # this makes "a" a heading
    ("format:bold", {"num_bold": 1, "relation": "at least"}, "a **b** *c*", 0, ["**b**"]),
    ("format:bold", {"num_bold": 1, "relation": "less than"}, "a **b** *c*", -1, ["**b**"]),
    ("format:markdown_links", {"num_links": 1, "relation": "at least"}, "[[a](b.c) [d]", 0, ["[a](b.c)"]),
    ("format:markdown_links", {"num_links": 1, "relation": "at least"}, "[](b.c) [d]", -1, []),
    ("format:plain_text", {}, "Rain - not sun.", 0, []),
    ("format:plain_text", {}, "# Rain\n\n**a**", -2, ["# Rain", "**a**"]),
]
