"""Cells and headings: (kind, arguments, completion, margin, text under the evidence; ... = the whole completion)."""

TABLE = "| Day | Rain fell |\n|---|---|\n| Mon | All Day. |\n| Tue | a bit. |"

CASES = [
    # cells: Mon, All Day., Tue, a bit. with 1, 2, 1 and 2 words
    ("length:words_per_cell", {"num_words": 2, "relation": "at most"}, TABLE, 0, ...),
    ("length:words_per_cell", {"num_words": 2, "relation": "at least"}, TABLE, -1, ["Mon", "Tue"]),
    ("punctuation:cell_mark", {"mark": "."}, "| A |\n|---|\n| yes. |\n| no. |", 0, ...),
    ("punctuation:cell_mark", {"mark": "."}, TABLE, -2, ["n", "e"]),
    ("change_case:table_title_case", {}, "| a |\n|---|\n| Yes 2 |", 0, ...),
    ("change_case:table_title_case", {}, TABLE, -2, ["a", "bit"]),
    ("change_case:heading_title_case", {}, "# The Sea\n\nwide and blue", 0, ...),
    ("change_case:heading_title_case", {}, "# The sea\n\nWide", -1, ["sea"]),
]
