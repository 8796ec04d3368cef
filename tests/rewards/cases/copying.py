"""Copying: (kind, arguments, completion, margin, text under the evidence; ... = the whole completion).

The prompt of all cases is "Write about rain.\\n\\nMention the deep sea."
"""

CASES = [
    ("copying:copied_text", {"text": "a b", "num_copies": 2, "relation": "at least"}, "a b, a b", 0, ["a b", "a b"]),
    (
        "copying:copied_text",
        {"text": "a b", "num_copies": 1, "relation": "exactly"},
        "A b",
        -1,
        [],
    ),  # letter for letter
    ("copying:prompt_line", {"nth_line": 2}, "So: Mention the deep sea.", 0, ["Mention the deep sea."]),
    ("copying:prompt_line", {"nth_line": 2}, "Mention the sea.", -1, []),
    ("copying:prompt_words", {"first": 3, "last": 4}, "rain.\n\nMention", 0, ["rain.\n\nMention"]),
    ("copying:prompt_words", {"first": 2, "last": 3}, "about  rain", -1, []),
    ("copying:no_prompt_run", {"num_words": 3}, "About rain and the deep sea", -1, ["the deep sea"]),
    ("copying:no_prompt_run", {"num_words": 3}, "The deep blue sea", 0, []),
]
