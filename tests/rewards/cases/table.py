"""Tables: (kind, arguments, completion, margin, text under the evidence; ... = the whole completion)."""

TABLE = "| Day | Rain |\n|---|---|\n| Mon | 3 |\n| Tue | 0 |"
TEXT = f"See:\n\n{TABLE}\n\nDone."

CASES = [
    ("table:num_rows", {"num_rows": 2, "relation": "exactly"}, TEXT, 0, ...),
    ("table:num_rows", {"num_rows": 1, "relation": "at most"}, TEXT, -1, [TABLE]),
    ("table:num_rows", {"num_rows": 5, "relation": "at most"}, "No table.", -1, []),
    ("table:num_columns", {"num_columns": 3, "relation": "at most"}, TEXT, 1, ...),
    ("table:num_columns", {"num_columns": 3, "relation": "exactly"}, TEXT, -1, [TABLE]),
    ("table:row_limit", {"maximum": 3}, TEXT, 1, ...),
    ("table:row_limit", {"maximum": 1}, TEXT, -1, [TABLE]),
    ("table:column_limit", {"maximum": 2}, TEXT, 0, ...),
    ("table:column_limit", {"maximum": 1}, TEXT, -1, [TABLE]),
    ("table:header", {"columns": ["day", "Rain"]}, TEXT, 0, [TABLE]),
    ("table:header", {"columns": ["Rain", "Day", "Sun"]}, TEXT, -3, [TABLE]),
    ("table:comma_separated", {"num_columns": 2}, 'Day,Rain\n"Mon, early",3', 0, ...),
    ("table:comma_separated", {"num_columns": 2}, "Day,Rain\nMon", -1, ["Mon"]),
]
