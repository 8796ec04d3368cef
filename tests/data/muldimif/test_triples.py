"""Triples: the constraints that MulDimIF's texts are read as, and why some are not read."""

import pytest

from data.muldimif.triples import read_triple
from rewards.verifiers import check_arguments, known_kinds

READ = [
    # (label, text, the rules, whether the text says more than they do)
    (
        "Content/Keywords",
        "Must include the keyword 'castle'.",
        [("keywords:existence", {"keywords": ["castle"]})],
        False,
    ),
    (
        "Content/Keywords: Must include",
        "the answer must include the keywords 'children's rights' and 'Apple Inc.'",
        [("keywords:existence", {"keywords": ["children's rights", "Apple Inc."]})],
        False,
    ),
    ("Content/Keywords", "Must include the keyword 'Qatar.'", [("keywords:existence", {"keywords": ["Qatar"]})], False),
    (
        "Content/Keywords",
        "includes the keyword 'Natwest' and avoids the keyword 'dormant'.",
        [
            ("keywords:existence", {"keywords": ["Natwest"]}),
            ("keywords:forbidden_words", {"forbidden_words": ["dormant"]}),
        ],
        False,
    ),
    (
        "Content/Keywords",
        "The keyword 'combat' must appear at least twice",
        [("keywords:frequency", {"keyword": "combat", "frequency": 2, "relation": "at least"})],
        False,
    ),
    (
        "Content/Keywords",
        "Each entry must include the keyword 'sea'",
        [("keywords:existence", {"keywords": ["sea"]})],
        True,
    ),
    ("Content/Punctuation", "Ending punctuation must be a period", [("content:ends_with_mark", {"mark": "."})], False),
    (
        "Content/Punctuation",
        "Each sentence must end with a period",
        [("punctuation:sentence_mark", {"mark": "."})],
        False,
    ),
    ("Content/Punctuation", "Each section should end with a period", [("content:ends_with_mark", {"mark": "."})], True),
    (
        "Content/Punctuation",
        "Each question must end with a question mark",
        [("punctuation:questions", {"num_questions": 1, "relation": "at least"})],
        True,
    ),
    ("Content/Punctuation", "avoid using exclamation marks", [("content:exclude_mark", {"mark": "!"})], False),
    (
        "Content/Identifiers",
        "must start with the identifier 'List:'",
        [("content:starts_with", {"phrase": "List:"})],
        False,
    ),
    (
        "Language/English",
        "The answer must use capitalized letters for each word",
        [("change_case:title_case", {})],
        False,
    ),
    ("Language/English: All Uppercase", "in all uppercase letters", [("change_case:english_capital", {})], False),
    ("Language/English", "written entirely in lowercase letters", [("change_case:english_lowercase", {})], False),
    (
        "Language/English",
        "written in English, with each word capitalized to ensure the titles stand out",
        [("change_case:title_case", {}), ("language:response_language", {"language": "en"})],
        False,
    ),
    ("Language/Chinese", "The answer must be in Simplified Chinese", [("language:simplified_chinese", {})], False),
    ("Language/Chinese", "確保使用繁體中文書寫", [("language:traditional_chinese", {})], False),
    (
        "Length/Words",
        "at most 50 words",
        [("length_constraints:number_words", {"num_words": 50, "relation": "at most"})],
        False,
    ),
    ("Length/Words", "between 50 to 100 words", [("length:word_range", {"minimum": 50, "maximum": 100})], False),
    (
        "Length/Words",
        "each answer must contain at least 50 words",
        [("length_constraints:number_words", {"num_words": 50, "relation": "at least"})],
        True,
    ),
    (
        "Length/Words",
        "each heading being at most 10 words long",
        [("length:words_per_heading", {"num_words": 10, "relation": "at most"})],
        False,
    ),
    (
        "Length/Sentences",
        "it must include at least 50 sentences to ensure a thorough explanation of each section",
        [("length_constraints:number_sentences", {"num_sentences": 50, "relation": "at least"})],
        False,
    ),
    ("Length/Paragraphs", "3 to 4 paragraphs", [("length:paragraph_range", {"minimum": 3, "maximum": 4})], False),
    ("Format/Markdown", "must include a level 2 heading", [("format:heading_levels", {"levels": [2]})], False),
    ("Markdown/Heading levels", "begin with '##'", [("format:heading_levels", {"levels": [2]})], True),
    (
        "Format/Markdown",
        "at least two heading levels, such as ## and ###",
        [("format:heading_depth", {"num_levels": 2, "relation": "at least"})],
        False,
    ),
    (
        "Format/Markdown",
        "exactly two heading levels: H1 and H2",
        [
            ("format:heading_depth", {"num_levels": 2, "relation": "exactly"}),
            ("format:heading_levels", {"levels": [1, 2]}),
        ],
        False,
    ),
    (
        "Format/Markdown",
        "organized using heading levels, with at least two headings",
        [("format:headings", {"num_headings": 2, "relation": "at least"})],
        False,
    ),
    (
        "Table/Row limit",  # the verifier counts the rows below the header
        "a table with a maximum of 4 rows, including the header row",
        [("table:num_rows", {"num_rows": 3, "relation": "at most"})],
        False,
    ),
    (
        "Markdown/Block quotes",
        "Use block quotes to highlight key points",
        [("format:block_quotes", {"num_quotes": 1, "relation": "at least"})],
        False,
    ),
    (
        "Table/Row limit",
        "a table with no more than 3 rows and 2 columns",
        [
            ("table:num_rows", {"num_rows": 3, "relation": "at most"}),
            ("table:num_columns", {"num_columns": 2, "relation": "at most"}),
        ],
        False,
    ),
    ("Format/Table", "If a table is used, it must have a row limit of 5", [("table:row_limit", {"maximum": 5})], False),
    ("Format/Table", "any table must have exactly three columns", [("table:column_limit", {"maximum": 3})], True),
    (
        "Table/Row limit",
        "The list must not exceed 10 rows",
        [
            ("format:bullet_items", {"num_items": 10, "relation": "at most"}),
            ("format:numbered_items", {"num_items": 10, "relation": "at most"}),
        ],
        True,
    ),
    (
        "Format/Json",
        "a JSON object with a nesting level of 2",
        [("json:nesting", {"depth": 2, "relation": "exactly"})],
        False,
    ),
    ("Format/Json", "nesting levels must not exceed 3", [("json:nesting", {"depth": 3, "relation": "at most"})], False),
    (
        "XML/Number of attributes",
        "Each XML element must have no more than three attributes",
        [("xml:attributes_per_element", {"num_attributes": 3, "relation": "at most"})],
        False,
    ),
    # a bound of any wording
    (
        "Format/Table",
        "Limit the table to three rows",
        [("table:num_rows", {"num_rows": 3, "relation": "at most"})],
        False,
    ),
    (
        "Format/Table",
        "Limit tables to 3 columns",
        [("table:num_columns", {"num_columns": 3, "relation": "at most"})],
        False,
    ),
    (
        "Format/Table",
        "exactly three rows in a table",
        [("table:num_rows", {"num_rows": 3, "relation": "exactly"})],
        False,
    ),
    (
        "Table/Row limit",
        "list no more than 5 episodes in a table format",
        [("table:num_rows", {"num_rows": 5, "relation": "at most"})],
        False,
    ),
    (
        "Length/Words",
        "with a minimum length of 300 words",
        [("length_constraints:number_words", {"num_words": 300, "relation": "at least"})],
        False,
    ),
    # a bound beside what the label names
    (
        "Length/Sentences",
        "at most 150 words and include at least 5 sentences",
        [
            ("length_constraints:number_sentences", {"num_sentences": 5, "relation": "at least"}),
            ("length_constraints:number_words", {"num_words": 150, "relation": "at most"}),
        ],
        False,
    ),
    (
        "Language/English",
        "use capitalized letters for each word and contain at most 50 words",
        [
            ("change_case:title_case", {}),
            ("length_constraints:number_words", {"num_words": 50, "relation": "at most"}),
        ],
        False,
    ),
    # a part's minimum is the whole answer's, too; its maximum is not
    (
        "Length/Words",
        "ensuring that the slide contains a minimum of 150 words",
        [("length_constraints:number_words", {"num_words": 150, "relation": "at least"})],
        True,
    ),
    (
        "Format/Markdown",
        "using different levels of headings to group related skills",
        [("format:heading_depth", {"num_levels": 2, "relation": "at least"})],
        False,
    ),
    (
        "Format/Markdown",
        "heading levels up to level 3",
        [("format:heading_depth", {"num_levels": 3, "relation": "at most"})],
        True,
    ),
    ("Format/Text", "No bullet points", [("format:bullet_items", {"num_items": 0, "relation": "exactly"})], False),
]


@pytest.mark.parametrize(("label", "text", "rules", "weaker"), READ, ids=[item[1][:40] for item in READ])
def test_read_triple__gives_constraints_that_verifiers_accept(label, text, rules, weaker):
    reading = read_triple(*label.split("/"), text)
    assert (list(reading.rules), reading.weaker, reading.reason) == (rules, weaker, None)
    for kind, kwargs in reading.rules:
        assert kind in known_kinds()
        check_arguments(kind, kwargs)


@pytest.mark.parametrize(
    ("label", "text", "reason"),
    [
        ("Format/Blurb", "resembling a short blurb", "no verifier for Format/Blurb"),
        ("Content/Keywords", "include the names of key players", "no keyword in quotation marks"),
        ("Content/Keywords", "the phonetic transcription of 'Gaza'", "derived from the quoted word"),
        ("Content/Punctuation", "ends with a period or a question mark", "several marks"),
        ("Language/English", "Each technique's name must be capitalized", "a part of the answer"),
        ("Length/Words", "Each definition must be at most 30 words", "a limit on the words of each definition"),
        ("Length/Sentences", "in full sentences", "no number of sentences"),
        ("Length/Sentences", "limiting the slide to a maximum of 10 sentences", "sentences of one part of the answer"),
        ("Length/Words", "the opening paragraph must have at most 40 words", "words of one part of the answer"),
        ("Format/Table", "if any tables are included, keep them neat", "without a limit"),
        ("XML/Number of attributes", "If you use XML, at most 5 attributes", "XML that may be missing"),
    ],
)
def test_read_triple__unread_texts_have_a_reason(label, text, reason):
    reading = read_triple(*label.split("/"), text)
    assert reading.rules == () and reason in reading.reason
