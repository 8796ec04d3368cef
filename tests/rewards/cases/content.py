"""Content: (kind, arguments, completion, margin, text under the evidence; ... = the whole completion)."""

CASES = [
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, "Dear [name], [day]", 0, ["[name]", "[day]"]),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, "[a [b] c]", -1, []),  # "[a [b]" is one
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, "Bye.\np. s. Write!\nNow", 0, ["p. s. Write!"]),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, "P.S. Write!", -1, []),
    ("detectable_content:postscript", {"postscript_marker": "Note:"}, "note: yes", 0, ["note: yes"]),
    (
        "content:numbers",
        {"num_numbers": 3, "relation": "exactly"},
        "1,000 or -2.5 of b12 and 7.",
        0,
        ["1,000", "-2.5", "7"],
    ),
    ("content:numbers", {"num_numbers": 1, "relation": "less than"}, "Just 7", -1, ["7"]),
    ("content:no_digits", {}, "seven", 0, []),
    ("content:no_digits", {}, "10 b", -2, ["1", "0"]),
    (
        "content:dates",
        {"style": "YYYY-MM-DD", "num_dates": 1, "relation": "at least"},
        "On 2024-02-29.",
        0,
        ["2024-02-29"],
    ),
    (
        "content:dates",
        {"style": "YYYY-MM-DD", "num_dates": 1, "relation": "at least"},
        "On 2023-02-29.",
        -1,
        [],
    ),  # no leap year
    (
        "content:dates",
        {"style": "Month D, YYYY", "num_dates": 1, "relation": "exactly"},
        "May 1, 2020 and June 30, 2021",
        -1,
        ["June 30, 2021"],
    ),
    (
        "content:dates",
        {"style": "D Month YYYY", "num_dates": 1, "relation": "at least"},
        "1 May 2020",
        0,
        ["1 May 2020"],
    ),
    ("content:links", {"num_links": 1, "relation": "at least"}, "See (https://a.org/b).", 0, ["https://a.org/b"]),
    ("content:links", {"num_links": 1, "relation": "at least"}, "See a.org.", -1, []),
    (
        "content:emojis",
        {"num_emojis": 2, "relation": "exactly"},
        "☔ 👩‍🌾",
        0,
        ["☔", "👩‍🌾"],
    ),  # the farmer is one picture
    ("content:emojis", {"num_emojis": 1, "relation": "less than"}, "🇫🇷", -1, ["🇫🇷"]),
    ("content:exclude_letter", {"letter": "e"}, "Dry month.", 0, []),
    ("content:exclude_letter", {"letter": "e"}, "Even", -2, ["E", "e"]),
    ("content:ascii_only", {}, "cafe", 0, []),
    ("content:ascii_only", {}, "café…", -2, ["é", "…"]),
]
