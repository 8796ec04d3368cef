"""Punctuation: (kind, arguments, completion, margin, text under the evidence; ... = the whole completion)."""

CASES = [
    ("punctuation:no_comma", {}, "No; none.", 0, []),
    ("punctuation:no_comma", {}, "One, two, three", -2, [",", ","]),
    ("content:exclude_mark", {"mark": "!"}, "Calm.", 0, []),
    ("content:exclude_mark", {"mark": "!"}, "Oh! No!", -2, ["!", "!"]),
    ("punctuation:mark_frequency", {"mark": ";", "frequency": 1, "relation": "at least"}, "a; b; c", 1, [";", ";"]),
    ("punctuation:mark_frequency", {"mark": ";", "frequency": 1, "relation": "exactly"}, "a; b; c", -1, [";"]),
    ("content:ends_with_mark", {"mark": "!"}, "Go! \n", 0, ["!"]),
    ("content:ends_with_mark", {"mark": "!"}, "Go! Now.", -1, ["."]),
    ("punctuation:sentence_mark", {"mark": "."}, 'It rains. He says "no."', 0, ...),
    ("punctuation:sentence_mark", {"mark": "."}, "It rains. Does it? It does", -2, ["?", "s"]),
    ("punctuation:only_marks", {"marks": ".,"}, "Rain, sun.", 0, []),
    ("punctuation:only_marks", {"marks": ""}, "Rain, sun.", -2, [",", "."]),
    ("punctuation:balanced", {}, "(a [b] “c”)", 0, []),
    ("punctuation:balanced", {}, "(a [b) c]", -2, ["(", ")"]),  # the square brackets pair, the round ones cross them
    ("punctuation:balanced", {}, "a) b (", -2, [")", "("]),
    ("punctuation:parentheses", {"num_parentheses": 1, "relation": "at least"}, "a (b) ( ) c", 0, ["(b)"]),
    ("punctuation:parentheses", {"num_parentheses": 0, "relation": "exactly"}, "a (b) c", -1, ["(b)"]),
    (
        "punctuation:quotations",
        {"num_quotations": 2, "relation": "at least"},
        'He: "yes". She: “no”.',
        0,
        ['"yes"', "“no”"],
    ),
    ("punctuation:quotations", {"num_quotations": 1, "relation": "at least"}, 'He: "yes.', -1, []),
    ("punctuation:questions", {"num_questions": 1, "relation": "exactly"}, "Why? Because.", 0, ["Why?"]),
    ("punctuation:questions", {"num_questions": 1, "relation": "less than"}, "Why? Because.", -1, ["Why?"]),
]
