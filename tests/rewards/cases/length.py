"""Length: (kind, arguments, completion, margin, text under the evidence; ... = the whole completion)."""

TWO_WORDS = "Rain falls."
LISTED = "- one two\n- one\n\n1. one two three\n"

CASES = [
    ("length_constraints:number_words", {"num_words": 2, "relation": "at least"}, "I don't.", 1, ...),  # I, don, t
    ("length_constraints:number_words", {"num_words": 2, "relation": "less than"}, TWO_WORDS, -1, ...),
    ("length:word_range", {"minimum": 2, "maximum": 5}, "a b c", 1, ...),
    ("length:word_range", {"minimum": 2, "maximum": 5}, "a b c d e f, g. ", -2, ["f, g."]),
    (
        "length_constraints:number_sentences",
        {"num_sentences": 2, "relation": "at least"},
        "Mr. Smith came. He sat.",
        0,
        ...,
    ),
    ("length_constraints:number_sentences", {"num_sentences": 2, "relation": "less than"}, "Hi. You?", -1, ...),
    ("length:sentence_range", {"minimum": 1, "maximum": 2}, "It is 3.5 metres. Yes!", 0, ...),
    ("length:word_range", {"minimum": 2, "maximum": 5}, "a", -1, ...),
    ("length:sentence_range", {"minimum": 3, "maximum": 4}, "One. Two.", -1, ...),
    ("length:sentence_range", {"minimum": 0, "maximum": 1}, "One. Two. Three!", -2, ["Two. Three!"]),
    (
        "length_constraints:number_paragraphs",
        {"num_paragraphs": 2},
        "one\n\n***\n\ntwo\n***",
        0,
        ...,
    ),  # the last is blank
    (
        "length_constraints:number_paragraphs",
        {"num_paragraphs": 3},
        "one *** *** two",
        -2,
        ...,
    ),  # one missing, one blank
    ("length:paragraph_range", {"minimum": 2, "maximum": 2}, "one\none\n \n\ntwo", 0, ...),
    ("length:paragraph_range", {"minimum": 2, "maximum": 2}, "one\ntwo", -1, ...),
    ("length:paragraph_range", {"minimum": 1, "maximum": 1}, "one\n\ntwo\n", -1, ["two"]),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "Then"},
        "First.\n\n'then, I",
        0,
        ...,
    ),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 3, "nth_paragraph": 2, "first_word": "then"},
        "First.\n\nNow",
        -2,  # one paragraph missing, another first word
        ...,
    ),
    ("length:line_range", {"minimum": 1, "maximum": 3}, "a\n\n b\n", 1, ...),
    ("length:line_range", {"minimum": 1, "maximum": 1}, "a\nb\nc", -2, ["b\nc"]),
    ("length:character_range", {"minimum": 3, "maximum": 3}, " abc\n", 0, ...),
    ("length:character_range", {"minimum": 3, "maximum": 4}, "a", -2, ...),
    ("length:character_range", {"minimum": 3, "maximum": 4}, " abcd ef\n", -3, [" ef"]),
    ("length:distinct_words", {"num_words": 2, "relation": "at least"}, "Go go now", 0, ...),
    ("length:distinct_words", {"num_words": 3, "relation": "exactly"}, "Go go now", -1, ...),
    ("length:words_per_sentence", {"num_words": 2, "relation": "at least"}, "I go. You stay here.", 0, ...),
    (
        "length:words_per_sentence",
        {"num_words": 2, "relation": "at most"},
        "I go. You stay right here.",
        -2,
        ["You stay right here."],
    ),
    ("length:words_per_paragraph", {"num_words": 2, "relation": "exactly"}, "a b\n\nc d", 0, ...),
    ("length:words_per_paragraph", {"num_words": 2, "relation": "less than"}, "a\n\nc d", -1, ["c d"]),
    ("length:words_per_line", {"num_words": 3, "relation": "at most"}, "a b\nc", 1, ...),
    ("length:words_per_line", {"num_words": 2, "relation": "at least"}, "a b\nc", -1, ["c"]),
    ("length:words_per_item", {"num_words": 3, "relation": "at most"}, LISTED, 0, ...),  # "1" is no word of its item
    ("length:words_per_item", {"num_words": 2, "relation": "at least"}, LISTED, -1, ["- one"]),
    ("length:words_per_item", {"num_words": 2, "relation": "at most"}, "No list.", -1, []),
    ("length:words_per_heading", {"num_words": 2, "relation": "at most"}, "# Rain falls\n\ntext", 0, ...),
    ("length:words_per_heading", {"num_words": 1, "relation": "at most"}, "# Rain falls\n\ntext", -1, ["# Rain falls"]),
    ("length:sentences_per_paragraph", {"num_sentences": 1, "relation": "at least"}, "A b. C d.\n\nE.", 0, ...),
    (
        "length:sentences_per_paragraph",
        {"num_sentences": 1, "relation": "at most"},
        "He ran. I sat.\n\nEnd.",
        -1,
        ["He ran. I sat."],
    ),
    ("length:letters_per_word", {"num_letters": 4, "relation": "at most"}, "I don't sit.", 0, ...),  # d o n t
    ("length:letters_per_word", {"num_letters": 3, "relation": "at most"}, "I don't think", -2, ["don't", "think"]),
    ("length:growing_sentences", {}, "Go. Go now. Go right now.", 0, ...),
    ("length:growing_sentences", {}, "Go now. Stop now. Wait here please.", -1, ["Stop now."]),
    ("length:growing_sentences", {}, "Only one.", -1, []),
]
