"""Position: (kind, arguments, completion, margin, text under the evidence; ... = the whole completion)."""

TEXT = "It rains. Then the sun shines.\n\nWe go out."

CASES = [
    ("position:nth_word", {"nth_word": 2, "word": "RAINS"}, TEXT, 0, ["rains"]),
    ("position:nth_word", {"nth_word": 1, "word": "rains"}, TEXT, -1, ["It"]),
    ("position:nth_word", {"nth_word": 99, "word": "rains"}, TEXT, -1, []),
    ("position:nth_sentence_contains", {"nth_sentence": 2, "keyword": "sun"}, TEXT, 0, ["sun"]),
    ("position:nth_sentence_contains", {"nth_sentence": 1, "keyword": "sun"}, TEXT, -1, ["It rains."]),
    ("position:last_sentence_contains", {"keyword": "out"}, TEXT, 0, ["out"]),
    ("position:last_sentence_contains", {"keyword": "sun"}, TEXT, -1, ["We go out."]),
    ("position:nth_paragraph_contains", {"nth_paragraph": 2, "keyword": "go"}, TEXT, 0, ["go"]),
    ("position:nth_paragraph_contains", {"nth_paragraph": 3, "keyword": "go"}, TEXT, -1, []),
    ("position:nth_sentence_first_word", {"nth_sentence": 2, "word": "then"}, TEXT, 0, ["Then"]),
    ("position:nth_sentence_first_word", {"nth_sentence": 3, "word": "then"}, TEXT, -1, ["We"]),
    ("position:nth_line_is", {"nth_line": 2, "text": "We go out."}, TEXT, 0, ["We go out."]),
    ("position:nth_line_is", {"nth_line": 1, "text": "It rains."}, TEXT, -1, ["It rains. Then the sun shines."]),
]
