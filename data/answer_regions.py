"""Answer regions: sets of constraint kinds that claim the same part of an answer, from which conflicts follow."""


def _ids(text: str) -> frozenset[str]:
    return frozenset(text.split())


HEADS = _ids(
    "format:heading_levels format:headings format:heading_depth length:words_per_heading change_case:heading_title_case"
)
"""Lines before the running text."""

LISTS = _ids(
    "detectable_format:number_bullet_lists format:bullet_items format:numbered_items format:checked_items "
    "format:list_depth length:words_per_item"
)
TABLES = _ids(
    "table:num_rows table:num_columns table:header length:words_per_cell punctuation:cell_mark "
    "change_case:table_title_case"
)
JSON = _ids("json:keys json:nesting json:schema")
XML = _ids("xml:well_formed xml:required_elements xml:num_attributes xml:attributes_per_element")
STRUCTURED = JSON | XML
MARKDOWN = (
    HEADS
    | LISTS
    | TABLES
    | _ids("format:block_quotes format:bold format:code_fences format:code_language format:rules")
)

BLOCKS = (
    (MARKDOWN - {"format:bold"})
    | JSON
    | XML
    | _ids(
        "detectable_format:title detectable_format:multiple_sections detectable_format:constrained_response "
        "detectable_content:postscript copying:copied_text combination:two_responses combination:parts "
        "combination:repeat_prompt position:nth_line_is"
    )
)
"""Lines of their own, which are neither sentences nor paragraphs of the running text."""

SHAPES = _ids(
    "table:comma_separated letters:acrostic letters:line_initial letters:word_initial letters:sentence_initial "
    "startend:each_line_starts detectable_format:json_format"
)
"""Kinds that fix the shape of every line, sentence or word, or of the whole answer."""

EACH_SENTENCE = _ids(
    "punctuation:sentence_mark letters:sentence_initial letters:alphabetical_sentences length:growing_sentences "
    "length:words_per_sentence length:sentences_per_paragraph position:last_sentence_contains "
    "position:nth_sentence_first_word change_case:sentence_capitals combination:no_repeated_sentence"
)
EACH_LINE = _ids("length:words_per_line length:line_range")
PARAGRAPHS = _ids(
    "length_constraints:number_paragraphs length_constraints:nth_paragraph_first_word length:paragraph_range "
    "position:nth_paragraph_contains length:words_per_paragraph length:sentences_per_paragraph"
)
SENTENCES = _ids("length:sentence_range length_constraints:number_sentences")
WORDS = _ids("length:word_range length_constraints:number_words length:distinct_words length:character_range")

FIRST = _ids(
    "content:starts_with startend:first_word startend:quotation content:delimited detectable_format:json_format "
    "combination:repeat_prompt position:nth_line_is position:nth_sentence_first_word position:nth_word "
    "length_constraints:nth_paragraph_first_word position:nth_paragraph_contains startend:same_first_and_last_word"
)
"""Kinds that fix the beginning."""

LAST = _ids(
    "startend:end_checker content:ends_with startend:last_word startend:same_first_and_last_word startend:quotation "
    "content:delimited detectable_format:json_format detectable_content:postscript position:last_sentence_contains"
)
"""Kinds that fix the end."""

CASES = _ids(
    "change_case:english_lowercase change_case:english_capital change_case:all_lowercase change_case:all_uppercase "
    "change_case:title_case change_case:sentence_capitals change_case:capital_word_frequency"
)
ONE_CASE = _ids(
    "change_case:english_lowercase change_case:english_capital change_case:all_lowercase change_case:all_uppercase "
    "change_case:title_case"
)
CASED_TEXT = (
    XML
    | JSON
    | _ids(
        "content:starts_with content:ends_with copying:copied_text position:nth_line_is content:dates content:links "
        "detectable_format:constrained_response detectable_format:multiple_sections format:markdown_links "
        "format:code_language startend:end_checker startend:same_first_and_last_word"
    )
)
"""Kinds whose text comes in a given letter case."""

MARKED = (
    MARKDOWN
    | JSON
    | XML
    | _ids(
        "content:dates content:links content:delimited detectable_content:number_placeholders combination:parts "
        "combination:two_responses detectable_format:number_highlighted_sections detectable_format:json_format "
        "detectable_format:title format:markdown_links position:nth_line_is punctuation:mark_frequency "
        "punctuation:parentheses punctuation:questions punctuation:quotations startend:each_line_starts "
        "startend:quotation length_constraints:number_paragraphs detectable_content:postscript content:numbers "
        "content:ends_with_mark startend:end_checker content:ends_with copying:copied_text punctuation:sentence_mark"
    )
)
"""Kinds that need punctuation of their own."""

DIGITS = XML | _ids("content:numbers content:dates format:numbered_items detectable_format:multiple_sections")

NAMED_WORDS = _ids(
    "keywords:existence keywords:frequency keywords:any_of keywords:in_order keywords:same_sentence "
    "content:keyword_range position:nth_sentence_contains position:nth_sentence_first_word "
    "position:nth_paragraph_contains position:last_sentence_contains position:nth_word startend:first_word "
    "startend:last_word length_constraints:nth_paragraph_first_word content:starts_with content:ends_with "
    "startend:end_checker content:ends_with_mark detectable_content:postscript copying:copied_text "
    "combination:repeat_prompt position:nth_line_is content:dates"
)
"""Kinds that require given words or marks."""

EXTRA_WORDS = (NAMED_WORDS - {"content:ends_with_mark"}) | _ids(
    "letters:alliteration letters:palindromes content:numbers content:links content:emojis format:bold "
    "format:markdown_links detectable_content:number_placeholders punctuation:quotations punctuation:parentheses "
    "punctuation:mark_frequency detectable_format:number_highlighted_sections change_case:capital_word_frequency "
    "keywords:letter_frequency"
)
"""Kinds that add words, which lengthen a sentence."""

# Single kinds and small groups that a rule is about.
END_MARK = _ids("content:ends_with_mark")
CLOSINGS = _ids("startend:end_checker content:ends_with")
ENCLOSED = _ids("startend:quotation content:delimited detectable_format:json_format")
LAST_WORDS = _ids("startend:last_word position:last_sentence_contains")
POSTSCRIPT = _ids("detectable_content:postscript")
UNSHAPED = SHAPES | BLOCKS | EACH_SENTENCE | EACH_LINE | PARAGRAPHS | FIRST | LAST
CLOSED_SHAPES = _ids("table:comma_separated letters:acrostic letters:word_initial")
SENTENCE_SHAPES = _ids("letters:alphabetical_sentences length:growing_sentences letters:sentence_initial")
GROWING = _ids("length:growing_sentences")
LINES = BLOCKS | EACH_LINE | PARAGRAPHS
PLAIN = _ids("format:plain_text")
DIVIDED = _ids("combination:two_responses combination:parts length_constraints:number_paragraphs")
NO_LISTS = _ids("format:no_lists")
ONLY_MARKS = _ids("punctuation:only_marks")
FEW_DIGITS = _ids("content:no_digits content:numbers")
FORBIDDEN_WORDS = _ids("keywords:forbidden_words")
EXCLUSIONS = _ids("content:exclude_mark content:exclude_letter")
LETTER_COUNT = _ids("keywords:letter_frequency")
NUM_WORDS = _ids("length:word_range length_constraints:number_words")
