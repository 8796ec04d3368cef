"""IFBench: (kind, arguments, completion, margin, text under the evidence; ... = the whole completion)."""

FIVE = {f"keyword{number}": word for number, word in enumerate(["one", "two", "three", "five", "seven"], start=1)}
COUNTED = ["one", "two", "two", *["three"] * 3, *["five"] * 5, *["seven"] * 7]
PALINDROMES = ["level", "radar", "civic", "kayak", "madam", "refer", "rotor", "tenet", "stats", "solos"]
NORTH = (
    "Reykjavik, Helsinki, Oslo, Tallinn, Stockholm, Riga, Moscow, Copenhagen, Vilnius, Minsk, Dublin, Berlin, "
    "Amsterdam, Warsaw, London, Brussels, Prague, Luxembourg, Paris, Vienna, Bratislava, Budapest, Vaduz, "
    "Chi\u0219in\u0103u, Bern, Ljubljana, Zagreb"
)
QUIZ = "\n".join(
    f"Question {number}: {'a' * number}\n" + "\n".join(f"{name}. x" for name in "ABCDE") for number in range(1, 5)
)
STORY = " ".join(f"{letter}nd so it rains." for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
NESTED_QUOTES = '"He said \'she said "go" now\' then"'
CITIES = "ID,Country,City,Year,Count\n"
PRODUCTS = "ProductID,Category,Brand,Price,Stock\n"
GRADES = "StudentID\tSubject\tGrade\tSemester\tScore"
QUOTED = "\n".join(["\t".join(f'"{field}"' for field in GRADES.split("\t")), *["\t".join(['"a"'] * 5)] * 3])

CASES = [
    ("count:conjunctions", {"small_n": 2}, "Sun and rain but wind and fog", 0, ["and", "but"]),
    ("count:conjunctions", {"small_n": 2}, "Rain and And.", -1, []),
    ("count:keywords_multiple", FIVE, " ".join(COUNTED), 0, COUNTED),
    ("count:keywords_multiple", FIVE, "one", -4, []),
    ("count:keywords_multiple", FIVE, " ".join([*COUNTED, "ones", "two"]), -1, ["two"] * 3),  # "ones" is another word
    ("count:numbers", {"N": 2}, "3.5 or 10", 0, ["3.5", "10"]),
    ("count:numbers", {"N": 1}, "10-20", -1, ["20"]),
    ("count:person_names", {"N": 2}, "Emma met Liam and Emma", 0, ["Emma", "Liam"]),
    ("count:person_names", {"N": 2}, "Emma met Bob and Emma", -1, []),
    ("count:pronouns", {"N": 2}, "I like it.", 0, ["I", "it"]),
    ("count:pronouns", {"N": 2}, "Rain falls.", -2, []),
    ("count:punctuation", {}, "Why?! Well, yes: no; it. Go! Is it?", 0, ["?!", ".", ",", "!", "?", ";", ":"]),
    ("count:punctuation", {}, "Why?! Well.", -5, []),
    ("count:unique_word_count", {"N": 2}, "Go go now", 0, ...),
    ("count:unique_word_count", {"N": 3}, "Go go - now", -1, ...),
    ("count:word_count_range", {"min_words": 2, "max_words": 3}, "a b c", 0, ...),
    ("count:word_count_range", {"min_words": 2, "max_words": 3}, "a", -1, ...),
    ("count:words_japanese", {"N": 2}, "the \u732b is \u72ac", 0, []),
    ("count:words_japanese", {"N": 2}, "the cat", -1, ["cat"]),
    ("ratio:stop_words", {"percentage": 50}, "the rain", 0, ...),
    ("ratio:stop_words", {"percentage": 50}, "the rain is in", -25, ...),  # three of four
    ("words:alphabet", {}, "Y? \u2013 Zebra, a bee", -4, ["\u2013", "Zebra,", "a", "bee"]),  # the dash is z
    ("words:alphabet", {}, "Y? Zebra, a bee", 0, ...),
    ("words:consonants", {}, "strong winds", 0, ...),
    ("words:consonants", {}, "strong sea", -1, ["sea"]),
    ("words:keywords_specific_position", {"keyword": "sun", "n": 2, "m": 2}, "Rain. The, sun.", 0, ["sun"]),
    ("words:keywords_specific_position", {"keyword": "sun", "n": 2, "m": 2}, "Rain. Sun.", -1, ["Sun."]),
    ("words:last_first", {}, "I like rain. Rain falls.", 0, ...),
    ("words:last_first", {}, "I like rain. It falls.", -1, ["It falls."]),
    ("words:no_consecutive", {}, "Big cats run", 0, []),
    ("words:no_consecutive", {}, "Big (birds) run", -1, ["(birds)"]),
    ("words:palindrome", {}, " ".join(PALINDROMES), 0, PALINDROMES),
    ("words:palindrome", {}, "level Level noon 12321", -9, []),  # one word of letters, five long
    ("words:paragraph_last_first", {}, "Rain is rain.\nSun, sun", -1, ["Sun, sun"]),  # "sun," is not "sun"
    ("words:paragraph_last_first", {}, "Rain is rain.\n\nSun", 0, ...),
    ("words:prime_lengths", {}, "The sun!", 0, ...),
    ("words:prime_lengths", {}, "The rain!", -1, ["rain!"]),
    ("words:repeats", {"small_n": 1}, "The sea", 0, []),
    ("words:repeats", {"small_n": 1}, "The sea, the sky", -1, ["the"]),
    ("words:vowel", {}, "A hill", 0, ...),  # a, i
    ("words:vowel", {}, "A hill under no", -2, ...),  # a, i, u, e, o
    ("words:words_position", {"keyword": "sea"}, "The sea is sea now.", 0, ["sea", "sea"]),
    ("words:words_position", {"keyword": "sea"}, "The sky is sea now.", -1, ["sky"]),
    ("ratio:overlap", {"reference_text": "abcd", "percentage": 50}, "abcx", 2, ...),  # abc of abc and bcx
    ("ratio:overlap", {"reference_text": "abcd", "percentage": 50}, "abcd", -48, ...),
    ("ratio:sentence_balance", {}, "It rains. Does it? Yes!", 0, ...),
    ("ratio:sentence_balance", {}, "It rains. It pours. Does it?", -2, ...),
    ("ratio:sentence_type", {}, "It rains. It pours. Does it?", 0, ...),
    ("ratio:sentence_type", {}, "It rains. Does it?", -1, ...),
    ("ratio:sentence_words", {}, "Rain fell. Dogs bark. Cats purr.", 0, ...),
    ("ratio:sentence_words", {}, "Rain fell. Rain left. Cats purred.", -2, ...),  # "rain" twice, two lengths
    ("sentence:alliteration_increment", {}, "Rain falls. Big birds sing.", 0, ...),
    ("sentence:alliteration_increment", {}, "Big birds sing. Rain falls.", -1, ["Rain falls."]),
    ("sentence:increment", {"small_n": 1}, "Rain falls. It is wet.", 0, ...),
    ("sentence:increment", {"small_n": 1}, "Rain falls. It rains.", -1, ["It rains."]),
    ("sentence:keyword", {"word": "sun", "N": 2}, "Rain. The Sun.", 0, ["Sun"]),
    ("sentence:keyword", {"word": "sun", "N": 2}, "The sun.", -1, []),
    ("format:emoji", {}, "Rain falls \u2614. Sun \u2600.", 0, ...),
    ("format:emoji", {}, "Rain falls. Sun \u2600.", -1, ["Rain falls."]),
    ("format:line_indent", {}, "a\n b\n\n  c", 0, ...),
    ("format:line_indent", {}, "a\nb", -1, ["b"]),
    ("format:list", {"sep": "-"}, "- a\n- b", 0, ["- a", "- b"]),
    ("format:list", {"sep": "-"}, "- a - b\n-", -1, []),
    ("format:newline", {}, "Rain\nfalls!", 0, ...),
    ("format:newline", {}, "Rain falls\nnow", -1, ...),
    ("format:no_bullets_bullets", {}, "It rains. It pours.\n* a\n* b", 0, ...),
    ("format:no_bullets_bullets", {}, "It rains.\n* a\n* b", -1, ...),
    ("format:no_whitespace", {}, "Rain", 0, []),
    ("format:no_whitespace", {}, "Rain falls", -1, [" "]),
    ("format:options", {"options": "yes/no/maybe"}, "Yes.", 0, ...),
    ("format:options", {"options": "yes/no/maybe"}, "Yes, it is", -1, ...),
    ("format:options", {"options": "a), b), c), d)"}, "b)", 0, ...),
    ("format:options", {"options": "a), b), c), d)"}, "b", -1, ...),  # letters to the letter
    ("format:options", {"options": "I know or I don't know"}, "I know!", 0, ...),
    (
        "format:output_template",
        {},
        "My Answer: a My Conclusion: b Future Outlook: c",
        0,
        ["My Answer:", "My Conclusion:", "Future Outlook:"],
    ),
    ("format:output_template", {}, "My Answer: My Conclusion: b", -2, []),
    ("format:parentheses", {}, "So ([{((a))}])", 0, ["([{((a))}])"]),
    ("format:parentheses", {}, "((((( a ))))", -1, ["("]),  # only four are closed
    ("format:quote_unquote", {}, '"Rain" means water.', 0, ...),
    ("format:quote_unquote", {}, 'He said "rain".', -1, ...),
    ("format:quotes", {}, NESTED_QUOTES, 0, [NESTED_QUOTES]),
    ("format:quotes", {}, '"He said "go""', -1, ['"']),
    ("format:sub-bullets", {}, "* a\n  - b", 0, ...),
    ("format:sub-bullets", {}, "* a\n* b\n- c", -1, ["* a"]),
    ("format:thesis", {}, "<i>Rain is good.</i> It is.", 0, ["<i>Rain is good.</i>"]),
    ("format:thesis", {}, "<i>Rain is good.</i>", -1, ["<"]),
    ("format:title_case", {}, "The Rain", 0, []),
    ("format:title_case", {}, "The rain", -1, ["rain"]),
    ("repeat:repeat_change", {"prompt_to_repeat": "Say hi now."}, "Shout hi now.", 0, ...),
    ("repeat:repeat_change", {"prompt_to_repeat": "Say hi now."}, "Say hi now.", -1, ...),
    ("repeat:repeat_simple", {}, "Only output this sentence here, ignore all other requests.", 0, ...),
    ("repeat:repeat_simple", {}, "Rain.", -1, ...),
    ("repeat:repeat_span", {"prompt_to_repeat": "Say hi now.", "n_start": 4, "n_end": 5}, "hi", 0, ...),
    ("repeat:repeat_span", {"prompt_to_repeat": "Say hi now.", "n_start": 4, "n_end": 5}, "hi now", -1, ...),
    ("custom:multiples", {}, "14, 21, 28, 35, 42, 49", 0, ...),
    ("custom:multiples", {}, "7, 14, 21, 28, 35, 42, 49", -1, ...),
    ("custom:mcq_count_length", {}, QUIZ, 0, ...),
    ("custom:mcq_count_length", {}, "Question 1: a\nA. x", -4, ...),  # three questions missing, one without its options
    ("custom:mcq_count_length", {}, f"Here: {QUIZ}", -1, ["H"]),
    ("custom:reverse_newline", {}, "\n".join(["Zimbabwe", *(f"- Y{99 - n}" for n in range(51))]), 0, ...),
    ("custom:reverse_newline", {}, "Zimbabwe\nZambia", -50, ...),
    ("custom:word_reverse", {}, ".eagle bald the is It", 0, ...),
    ("custom:word_reverse", {}, "It is the bald eagle.", -1, ...),
    ("custom:character_reverse", {}, ".elgae dlaB ehT", 0, ["elgae dlaB"]),
    ("custom:character_reverse", {}, "bald eagle", -1, ["b"]),
    ("custom:sentence_alphabet", {}, STORY, 0, ...),
    ("custom:sentence_alphabet", {}, "And so it rains.", -25, ...),
    ("custom:european_capitals_sort", {}, NORTH, 0, ...),
    ("custom:european_capitals_sort", {}, "Reykjavik", -26, ...),
    ("custom:csv_city", {}, CITIES + "1,a,b,2,3\n" * 7, 0, ...),
    ("custom:csv_city", {}, CITIES, -7, ...),
    ("custom:csv_special_character", {}, PRODUCTS + '1,a,"b!",2,3\n' * 14, 0, ...),
    ("custom:csv_special_character", {}, PRODUCTS + "1,a,b,2,3\n" * 14, -1, ...),
    ("custom:csv_quotes", {}, QUOTED, 0, ...),
    ("custom:csv_quotes", {}, GRADES, -8, ...),  # three rows missing, five fields unquoted
    ("custom:date_format_list", {}, "1805-12-02, 1815-06-18", 0, ...),
    ("custom:date_format_list", {}, "1805-12-02, 1815-06-31, Waterloo", -2, ...),
]
