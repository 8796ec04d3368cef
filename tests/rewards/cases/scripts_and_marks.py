"""Other scripts, marks and Markdown: (kind, arguments, completion, margin, evidence; ... = the whole completion)."""

CHINESE = "\u6211\u4eec\u4eca\u5929\u53bb\u516c\u56ed\u73a9\u4e86\u5f88\u4e45\u3002"
ARABIC = "\u0627\u0644\u0633\u0645\u0627\u0621 \u0632\u0631\u0642\u0627\u0621"
NESTED = "- one two\n  - three four five\n    1. six\n- seven eight\n"
WRAPPED = "```markdown\n# Rain\n\n- a\n- b\n```"
EMOJIS = (
    "\u23f0 \u2b50 \u25b6\ufe0f 1\ufe0f\u20e3 \u2122\ufe0f \U0001f3f4\U000e0067\U000e0062\U000e007f \u2764\ufe0f "
    "\u21a9\ufe0f"
)
POWERS = "2**3 + 4**5 is\n```\n**x**\n```\n`**y**`"
LINKS = '[a](https://en.org/a_(b)) ![c](c.png) `[d](d)` [e](e "f")'
HINDI = "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e"
STARTS = "\u201cDon\u2019t go,\u201d she said. It\u2019s late."
EXACT_2 = {"num_items": 2, "relation": "exactly"}

CASES = [
    ("language:response_language", {"language": "zh"}, CHINESE, 0, ...),
    ("language:response_language", {"language": "zh-cn"}, CHINESE, 0, ...),
    ("language:response_language", {"language": "zh"}, "The rain in the hills is a gift.", -1, ...),
    ("language:response_language", {"language": "de"}, "DER REGEN IN DEN BERGEN IST EIN GESCHENK.", 0, ...),
    ("change_case:all_lowercase", {}, CHINESE, 0, ...),
    ("change_case:all_lowercase", {}, ARABIC, 0, ...),
    ("change_case:all_uppercase", {}, ARABIC, 0, ...),
    ("change_case:all_lowercase", {}, f"{ARABIC} A", -1, ["A"]),
    ("change_case:title_case", {}, "Learn Node.js in Rain", -1, ["in"]),
    ("change_case:title_case", {}, "Learn Node.js Now", 0, ...),
    ("change_case:heading_title_case", {}, "# Learn Node.js\n\ntext", 0, ...),
    ("length:words_per_item", {"num_words": 3, "relation": "at most"}, NESTED, 0, ...),
    ("length:words_per_item", {"num_words": 2, "relation": "at most"}, NESTED, -1, ["- three four five"]),
    (
        "format:bullet_items",
        {"num_items": 3, "relation": "exactly"},
        NESTED,
        0,
        ["- one two", "- three four five", "- seven eight"],
    ),
    ("length:word_range", {"minimum": 2, "maximum": 2}, HINDI, 0, ...),
    ("length:distinct_words", {"num_words": 1, "relation": "exactly"}, "cafe\u0301 cafe\u0301", 0, ...),
    ("position:nth_word", {"nth_word": 2, "word": HINDI.split()[1]}, HINDI, 0, [HINDI.split()[1]]),
    ("content:emojis", {"num_emojis": 8, "relation": "exactly"}, EMOJIS, 0, EMOJIS.split()),
    ("content:emojis", {"num_emojis": 0, "relation": "exactly"}, "\u00a9 2020, 5 * 3 # \u2122", 0, []),
    (
        "punctuation:questions",
        {"num_questions": 2, "relation": "exactly"},
        "\u4eca\u5929\u4e0b\u96e8\u5417\uff1f\u660e\u5929\u5462\uff1f\u4e0d\u3002",
        0,
        ["\u4eca\u5929\u4e0b\u96e8\u5417\uff1f", "\u660e\u5929\u5462\uff1f"],
    ),
    ("punctuation:questions", {"num_questions": 1, "relation": "less than"}, "Really\uff1f", -1, ["Really\uff1f"]),
    ("length:sentence_range", {"minimum": 2, "maximum": 2}, "\u4e0b\u96e8\u4e86\u3002\u5929\u6674\u4e86\u3002", 0, ...),
    ("format:bold", {"num_bold": 1, "relation": "at least"}, POWERS, -1, []),
    (
        "format:bold",
        {"num_bold": 2, "relation": "exactly"},
        "__rain__ and **sun** and _fog_",
        0,
        ["__rain__", "**sun**"],
    ),
    ("format:plain_text", {}, "2**3 is 8 and 2**4 is 16", 0, []),
    (
        "format:markdown_links",
        {"num_links": 2, "relation": "exactly"},
        LINKS,
        0,
        ["[a](https://en.org/a_(b))", '[e](e "f")'],
    ),
    (
        "content:links",
        {"num_links": 1, "relation": "exactly"},
        "See https://en.org/a_(b).",
        0,
        ["https://en.org/a_(b)"],
    ),
    ("content:ends_with_mark", {"mark": "."}, "He said \u201cgo.\u201d", 0, ["."]),
    ("content:ends_with_mark", {"mark": ")"}, "He went (home.)", 0, [")"]),
    ("content:ends_with_mark", {"mark": "!"}, 'He said "go."', -1, ["."]),
    ("punctuation:sentence_mark", {"mark": "."}, "\u201cIt rains.\u201d He left.", 0, ...),
    ("startend:first_word", {"word": "don't"}, STARTS, 0, ["Don\u2019t"]),
    ("content:starts_with", {"phrase": "\"Don't go"}, STARTS, 0, ["\u201cDon\u2019t go"]),
    ("content:ends_with", {"phrase": "It's late."}, STARTS, 0, ["It\u2019s late."]),
    ("position:nth_word", {"nth_word": 5, "word": "it's"}, STARTS, 0, ["It\u2019s"]),
    ("position:nth_sentence_first_word", {"nth_sentence": 2, "word": "It's"}, STARTS, 0, ["It\u2019s"]),
    ("length:sentence_range", {"minimum": 3, "maximum": 3}, "1. Buy milk.\n2. Buy eggs.\n3) Go home.", 0, ...),
    ("length:words_per_sentence", {"num_words": 2, "relation": "exactly"}, "1. Buy milk.\n2. Buy eggs.", 0, ...),
    ("format:headings", {"num_headings": 1, "relation": "exactly"}, WRAPPED, 0, ["# Rain"]),
    ("format:bullet_items", EXACT_2, WRAPPED, 0, ["- a", "- b"]),
    (
        "format:code_fences",
        {"num_fences": 1, "relation": "exactly"},
        "```python\n# no heading\n```",
        0,
        ["```python\n# no heading\n```"],
    ),
    ("format:headings", {"num_headings": 1, "relation": "at least"}, "```python\n# no heading\n```", -1, []),
]
