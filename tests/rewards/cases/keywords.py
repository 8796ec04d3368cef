"""Keywords: (kind, arguments, completion, margin, text under the evidence; ... = the whole completion)."""

CASES = [
    ("keywords:existence", {"keywords": ["rain", "sun"]}, "Sun after RAIN.", 0, ["RAIN", "Sun"]),
    ("keywords:existence", {"keywords": ["rain", "sun", "fog"]}, "Rainy.", -2, []),  # sun and fog are missing
    ("keywords:existence", {"keywords": ["c++ (new)"]}, "I like C++ (new).", 0, ["C++ (new)"]),  # no pattern, a text
    ("keywords:frequency", {"keyword": "cat", "frequency": 3, "relation": "at least"}, "cat catcat", 0, ["cat"] * 3),
    ("keywords:frequency", {"keyword": "cat", "frequency": 3, "relation": "at least"}, "cat dog bird", -2, []),
    ("keywords:frequency", {"keyword": "cat", "frequency": 2, "relation": "less than"}, "A cat.", 0, []),
    (
        "keywords:frequency",
        {"keyword": "cat", "frequency": 2, "relation": "less than"},
        "cat Cat CAT",
        -2,
        ["Cat", "CAT"],
    ),
    ("keywords:frequency", {"keyword": "cat", "frequency": 2, "relation": "exactly"}, "cat Cat CAT", -1, ["CAT"]),
    ("keywords:frequency", {"keyword": "cat", "frequency": 1, "relation": "at most"}, "A dog.", 1, []),
    ("keywords:forbidden_words", {"forbidden_words": ["sea", "sky"]}, "The season.", 0, []),  # inside a word: allowed
    ("keywords:forbidden_words", {"forbidden_words": ["sea", "sky"]}, "Sky, sea, sea.", -3, ["sea", "sea", "Sky"]),
    (
        "keywords:letter_frequency",
        {"letter": "e", "let_frequency": 2, "let_relation": "at least"},
        "Eel",
        0,
        ["E", "e"],
    ),
    ("keywords:letter_frequency", {"letter": "e", "let_frequency": 2, "let_relation": "less than"}, "Eel", -1, ["e"]),
    ("keywords:letter_frequency", {"letter": "#", "let_frequency": 1, "let_relation": "at least"}, "abc", -1, []),
    ("content:keyword_range", {"keyword": "ha", "minimum": 2, "maximum": 3}, "haha!", 0, ["ha", "ha"]),
    ("content:keyword_range", {"keyword": "ha", "minimum": 2, "maximum": 3}, "ha", -1, []),
    ("content:keyword_range", {"keyword": "ha", "minimum": 0, "maximum": 1}, "Ha ha ha", -2, ["ha", "ha"]),
    (
        "keywords:any_of",
        {"keywords": ["a1", "b2", "c3"], "num_keywords": 2, "relation": "at least"},
        "c3 a1 a1",
        0,
        ["a1", "c3"],
    ),
    ("keywords:any_of", {"keywords": ["a1", "b2"], "num_keywords": 1, "relation": "exactly"}, "a1 b2", -1, ["b2"]),
    ("keywords:in_order", {"keywords": ["one", "two", "three"]}, "One, two, three", 0, ["One", "two", "three"]),
    (
        "keywords:in_order",
        {"keywords": ["one", "two", "three"]},
        "Two, one, three",
        -2,
        [],
    ),  # after "one" no "two", so no "three"
    ("keywords:same_sentence", {"keywords": ["rain", "sun"]}, "Rain. Sun and rain.", 0, ["rain", "Sun"]),
    ("keywords:same_sentence", {"keywords": ["rain", "sun"]}, "Rain falls. Sun shines.", -1, []),
]
