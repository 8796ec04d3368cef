"""IF-RLVR: (kind, arguments, completion, margin, text under the evidence; ... = the whole completion)."""

PHRASE = {"phrase": "the big red cat", "small_n": 2}
REQUEST = {"prompt_to_repeat": "Say hi now."}
COMPOSED = {"n_sent": 2, "n_words": 2}
PART = "Rain falls. It stops."
TWICE = {"keyword1": "rain", "keyword2": "sun"}

CASES = [
    ("copy:copy", REQUEST, "say hi now.", 0, ...),
    ("copy:copy", REQUEST, "Say hi.", -1, ...),
    ("copy:copying_simple", REQUEST, "Say hi now.", 0, ...),
    ("copy:copying_simple", REQUEST, "Yes: Say hi now.", -1, ...),
    ("copy:copying_multiple", {**REQUEST, "N": 2}, "Say hi now.\n******\nSay hi now.", 0, ...),
    ("copy:copying_multiple", {**REQUEST, "N": 3}, "Say hi now.\n******\nHi.", -2, ...),  # one missing, one wrong
    ("copy:repeat_phrase", PHRASE, "the old red cat, the big fat cat", 0, ["the old red cat", "the big fat cat"]),
    ("copy:repeat_phrase", PHRASE, "the old red cat, the big red cat", -1, ["the big red cat"]),
    ("copy:repeat_phrase", PHRASE, "the old red cat", -1, []),
    ("new:copy_span_idx", {**REQUEST, "n_start": 4, "n_end": 6}, "hi", 0, ...),
    ("new:copy_span_idx", {**REQUEST, "n_start": 4, "n_end": 7}, "hi now", -1, ...),
    ("detectable_format:sentence_hyphens", {}, "Rain falls.-It stops.", 0, ...),
    ("detectable_format:sentence_hyphens", {}, "Rain falls. - It stops.", -2, ...),
    ("detectable_format:square_brackets", {}, "[Rain] [falls]", 0, ...),
    ("detectable_format:square_brackets", {}, "[Rain falls]", -2, ["[Rain", "falls]"]),
    ("detectable_format:bigram_wrapping", {}, "<<so it>> <<rains here>>", 0, ...),
    ("detectable_format:bigram_wrapping", {}, "<<so it>> rains", -1, ["rains"]),
    ("keywords:no_adjacent_consecutive", {}, "Big ants", 0, []),
    ("keywords:no_adjacent_consecutive", {}, "All birds", -1, ["birds"]),
    ("keywords:word_once", {"keyword": "rain"}, "Rain on the train", 0, ["Rain"]),
    ("keywords:word_once", {"keyword": "rain"}, "Rain, rain", -1, ["rain"]),
    (
        "keywords:word_count_different_numbers",
        {"keyword": "rain", "frequency": 2, "relation": "at least"},
        "Rain, rain",
        0,
        ["Rain", "rain"],
    ),
    (
        "keywords:word_count_different_numbers",
        {"keyword": "rain", "frequency": 2, "relation": "less than"},
        "Rain, rain",
        -1,
        ["rain"],
    ),
    ("keywords:exclude_word_harder", {"keyword": "rain"}, "The train", 0, []),
    ("keywords:exclude_word_harder", {"keyword": "rain"}, "The (rain)", -1, ["rain"]),
    ("keywords:palindrome", {}, "a Level", 0, ["Level"]),
    ("keywords:palindrome", {}, "a 11", -1, []),
    ("keywords:keyword_specific_position", {"keyword": "sun", "n": 2, "m": 2}, "Rain. The, Sun.", 0, ["Sun"]),
    ("keywords:keyword_specific_position", {"keyword": "sun", "n": 2, "m": 1}, "Rain. The sun.", -1, ["The"]),
    ("keywords:start_end", {}, "Rain is rain", 0, ["rain"]),
    ("keywords:start_end", {}, "Rain is rain.", -1, ["rain"]),
    ("paragraphs:paragraphs", {}, "Rain.\n***\nSun.", 0, ...),
    ("paragraphs:paragraphs", {}, "Rain.\n\nSun.", -1, ...),
    ("paragraphs:paragraphs2", {}, "Rain.\n\nSun.", 0, ...),
    ("paragraphs:paragraphs2", {}, "Rain.", -1, ...),
    ("first_word:first_word_answer", {"first_word": "rain"}, '"Rain" falls', 0, ["Rain"]),
    ("first_word:first_word_answer", {"first_word": "rain"}, "The rain", -1, ["The"]),
    ("first_word:first_word_sent", {"first_word": "rain"}, "Rain falls. Rain, it stops.", 0, ...),
    ("first_word:first_word_sent", {"first_word": "rain"}, "Rain falls. It stops.", -1, ["It"]),
    ("last_word:last_word_answer", {"last_word": "rain"}, "I like rain!", 0, ["rain"]),
    ("last_word:last_word_answer", {"last_word": "rain"}, "I like rains!", -1, ["rains"]),
    ("last_word:last_word_sent", {"last_word": "rain"}, "I like rain. You hate rain!", 0, ...),
    ("last_word:last_word_sent", {"last_word": "rain"}, "I like rain. You hate it!", -1, ["it"]),
    ("punctuation:punctuation_dot", {}, "Rain!", 0, []),
    ("punctuation:punctuation_dot", {}, "Rain\u3002 Sun.", -2, ["\u3002", "."]),
    ("punctuation:punctuation_exclamation", {}, "Rain.", 0, []),
    ("punctuation:punctuation_exclamation", {}, "Rain\uff01 Sun!", -2, ["\uff01", "!"]),
    ("count:lowercase_counting", {"N": 1}, "The Rain falls", 0, []),
    ("count:lowercase_counting", {"N": 1}, "the rain", -1, ["rain"]),
    ("letters:letter_counting", {"N": 4, "relation": "at least"}, "R\xe4in", 0, ...),
    ("letters:letter_counting", {"N": 4, "relation": "less than"}, "Rain", -1, ...),
    ("letters:letter_counting2", {"letter": "e", "let_frequency": 2, "let_relation": "at least"}, "Eel", 0, ["E", "e"]),
    ("letters:letter_counting2", {"letter": "e", "let_frequency": 2, "let_relation": "less than"}, "Eel", -1, ["e"]),
    ("count:counting_composition", COMPOSED, " *** ".join([PART] * 3), 0, ...),
    ("count:counting_composition", COMPOSED, f"{PART} *** Rain falls.", -2, ...),  # one part missing, one too short
    ("count:count_unique", {}, "Rain, sun, fog.", 0, []),
    ("count:count_unique", {}, "The sun, the fog", -1, ["the"]),
    ("count:count_increment_word", TWICE, "Rain, sun and sun", 0, ["Rain", "sun", "sun"]),
    ("count:count_increment_word", TWICE, "Rain, rain and sun", -2, ["rain"]),
]
"""All are judged by `reward`; where `eval` differs, `EVAL` shows how."""

EVAL = [
    ("keywords:word_once", {"keyword": "rain"}, "Rain on the train", False),
    ("keywords:exclude_word_harder", {"keyword": "rain"}, "The (rain)", True),
    ("keywords:palindrome", {}, "a 11", True),
    ("keywords:keyword_specific_position", {"keyword": "Sun", "n": 2, "m": 2}, "Rain. The, Sun.", False),
    ("keywords:start_end", {}, "!Rain!", True),
    ("detectable_format:bigram_wrapping", {}, "<<so it>> rains", True),
    ("paragraphs:paragraphs2", {}, "Rain.\n \nSun.", False),
    ("first_word:first_word_answer", {"first_word": "rain"}, '"Rain" falls', False),
    ("first_word:first_word_sent", {"first_word": "rain"}, "Rain falls. Rain, it stops.", False),
    ("last_word:last_word_answer", {"last_word": "rain"}, "I like rain!", True),
    ("last_word:last_word_sent", {"last_word": "dont"}, "I don't. You don't!", True),
    ("punctuation:punctuation_dot", {}, "Rain\u3002", True),
    ("punctuation:punctuation_exclamation", {}, "Rain\uff01", True),
    ("letters:letter_counting", {"N": 4, "relation": "at least"}, "R\xe4in", False),
    ("count:counting_composition", {"n_sent": 2, "n_words": 3}, " *** ".join([PART] * 3), True),  # stops are words
    ("count:count_unique", {}, "Rain, sun, fog.", False),  # two commas
    ("count:count_unique", {}, "The sun the fog", True),
    ("count:count_increment_word", TWICE, "Rain, sun, sunny", True),
]
