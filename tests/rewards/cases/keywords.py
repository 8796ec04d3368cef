"""Keywords: (kind, arguments, completion, margin, text under the evidence; ... = the whole completion)."""

CASES = [
    ("keywords:existence", {"keywords": ["rain", "sun"]}, "Sun after RAIN.", 0, ["RAIN", "Sun"]),
    ("keywords:existence", {"keywords": ["rain", "sun", "fog"]}, "Rain.", -2, []),  # sun and fog are missing
    ("keywords:existence", {"keywords": ["c++ (new)"]}, "I like C++ (new).", 0, ["C++ (new)"]),  # no pattern, a text
    ("keywords:frequency", {"keyword": "cat", "frequency": 3, "relation": "at least"}, "cat cat-cat", 0, ["cat"] * 3),
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
    ("keywords:forbidden_words", {"forbidden_words": ["C++"]}, "C, C++ and C++.", -2, ["C++", "C++"]),
    ("keywords:forbidden_words", {"forbidden_words": ["C++"]}, "ABC++ and C+", 0, []),
    ("keywords:forbidden_words", {"forbidden_words": [".NET"]}, "Use .net now", -1, [".net"]),
    ("keywords:forbidden_words", {"forbidden_words": [".NET"]}, "A .network", 0, []),
    ("keywords:forbidden_words", {"forbidden_words": ["a-a"]}, "xa-a-a", -1, ["a-a"]),  # the first one is inside a word
    ("keywords:forbidden_words", {"forbidden_words": ["\u732b"]}, "\u6211\u7231\u732b\u3002", -1, ["\u732b"]),
    ("keywords:forbidden_words", {"forbidden_words": ["\u732b"]}, "\u6211\u7231\u72d7\u3002", 0, []),
    (
        "keywords:forbidden_words",
        {"forbidden_words": ["sea"]},
        "\u6211\u7231sea\u3002",
        -1,
        ["sea"],
    ),  # Han beside Latin
    (
        "keywords:forbidden_words",
        {"forbidden_words": ["\u0e41\u0e21\u0e27"]},
        "\u0e01\u0e41\u0e21\u0e27",
        -1,
        ["\u0e41\u0e21\u0e27"],
    ),
    ("keywords:forbidden_words", {"forbidden_words": ["caf\xe9"]}, "A cafe\u0301!", -1, ["cafe\u0301"]),
    ("keywords:forbidden_words", {"forbidden_words": ["cafe\u0301"]}, "A caf\xe9!", -1, ["caf\xe9"]),
    ("keywords:forbidden_words", {"forbidden_words": ["cafe"]}, "A cafe\u0301!", 0, []),  # another word
    ("keywords:existence", {"keywords": ["caf\xe9", "tea"]}, "Cafe\u0301, tea", 0, ["Cafe\u0301", "tea"]),
    (
        "keywords:letter_frequency",
        {"letter": "e", "let_frequency": 2, "let_relation": "at least"},
        "Eel",
        0,
        ["E", "e"],
    ),
    ("keywords:letter_frequency", {"letter": "e", "let_frequency": 2, "let_relation": "less than"}, "Eel", -1, ["e"]),
    ("keywords:letter_frequency", {"letter": "#", "let_frequency": 1, "let_relation": "at least"}, "abc", -1, []),
    ("content:keyword_range", {"keyword": "ha", "minimum": 2, "maximum": 3}, "ha, ha!", 0, ["ha", "ha"]),
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
