"""Letter case: (kind, arguments, completion, margin, text under the evidence; ... = the whole completion)."""

ENGLISH = "The rain in the hills is a gift to every farmer who lives there."
GERMAN = "Der Regen in den Bergen ist ein Geschenk für jeden Bauern, der dort lebt."
NASA = 'NASA said "NO", A-OK.'

CASES = [
    ("change_case:english_capital", {}, ENGLISH.upper(), 0, ...),
    ("change_case:english_capital", {}, "THE RAIN iS A GIFT", -1, ["i"]),
    ("change_case:english_lowercase", {}, ENGLISH.lower(), 0, ...),
    ("change_case:english_lowercase", {}, GERMAN.lower(), -1, ...),
    ("change_case:english_lowercase", {}, ENGLISH, -1, ["T"]),
    ("change_case:all_uppercase", {}, "REGEN 7!", 0, ...),
    ("change_case:all_uppercase", {}, "REgen", -3, ["g", "e", "n"]),
    ("change_case:all_uppercase", {}, "7!", -1, ...),  # no letter at all
    ("change_case:all_lowercase", {}, "regen 7!", 0, ...),
    ("change_case:all_lowercase", {}, "Regen", -1, ["R"]),
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 2, "capital_relation": "at least"},
        NASA,
        1,
        ["NASA", "NO", "A-OK"],
    ),
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 2, "capital_relation": "less than"},
        NASA,
        -2,
        ["NO", "A-OK"],
    ),
    ("change_case:title_case", {}, "Rain Isn't 7 Bad-Luck", 0, ...),  # 7 has no case
    ("change_case:title_case", {}, "Rain is Bad luck", -2, ["is", "luck"]),
    ("change_case:sentence_capitals", {}, 'It rains. "Good," he says.', 0, ...),
    ("change_case:sentence_capitals", {}, "It rains! Yes? no!", -1, ["n"]),
]
