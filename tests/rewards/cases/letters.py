"""Letters: (kind, arguments, completion, margin, text under the evidence; ... = the whole completion)."""

CASES = [
    ("letters:acrostic", {"word": "sea"}, "Sand\n- every\n\n*all*", 0, ["S", "e", "a"]),
    ("letters:acrostic", {"word": "sea"}, "Sand\nRain", -2, ["R"]),  # one wrong, one missing
    ("letters:acrostic", {"word": "s"}, "Sand\nSea", -1, ["S"]),  # one too many: the second S
    ("letters:alliteration", {"num_words": 3}, "Big blue bears eat.", 0, ["Big", "blue", "bears"]),
    ("letters:alliteration", {"num_words": 3}, "Big bears eat berries", -1, []),
    ("letters:word_initial", {"letter": "b"}, "Big blue-eyed bears.", 0, ...),
    ("letters:word_initial", {"letter": "b"}, "Big bears eat", -1, ["e"]),
    ("letters:sentence_initial", {"letter": "t"}, 'The sea. "Tell me."', 0, ...),
    ("letters:sentence_initial", {"letter": "t"}, "The sea. I know.", -1, ["I"]),
    ("letters:line_initial", {"letter": "a"}, "- an\n\n1. all", 0, ...),
    ("letters:line_initial", {"letter": "a"}, "an\non", -1, ["o"]),
    ("letters:alphabetical_sentences", {}, "All came. Bob sat. But I left.", 0, ...),
    ("letters:alphabetical_sentences", {}, "Bob sat. All came.", -1, ["A"]),
    ("letters:palindromes", {"num_palindromes": 2, "relation": "at least"}, "Anna saw a kayak", 0, ["Anna", "kayak"]),
    ("letters:palindromes", {"num_palindromes": 1, "relation": "at least"}, "I saw a boat", -1, []),
]
