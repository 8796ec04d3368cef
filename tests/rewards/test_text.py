"""Text units: words, sentences, lines and paragraphs."""

from hypothesis import given, settings
from hypothesis import strategies as st

from rewards.sentences import MAX_PIECE
from rewards.text import (
    enclosed_spans,
    line_spans,
    paragraph_spans,
    sentence_spans,
    term_spans,
    word_spans,
)
from rewards.tokens import QUOTES, token_spans


def cut(text, spans):
    return [text[start:end] for start, end in spans]


def test_word_spans__are_runs_of_letters_digits_and_underscores():
    text = "I don't_mind 3.5!"
    assert cut(text, word_spans(text)) == ["I", "don", "t_mind", "3", "5"]


def test_term_spans__keep_apostrophes_and_hyphens():
    text = "Don\u2019t say well-known 'it'."
    assert cut(text, term_spans(text)) == ["Don\u2019t", "say", "well-known", "it"]


def test_sentence_spans__do_not_end_at_an_abbreviation_or_a_number():
    text = "Dr. Lee paid 3.50 dollars.  Why? He \nhad to."
    assert cut(text, sentence_spans(text)) == ["Dr. Lee paid 3.50 dollars.", "Why?", "He \nhad to."]


def test_line_spans__exclude_blank_lines_which_divide_paragraphs():
    text = "\n a\n b \n \t\n\n c\n"
    assert cut(text, line_spans(text)) == ["a", "b", "c"]
    assert cut(text, paragraph_spans(text)) == ["a\n b", "c"]


def test_enclosed_spans__end_at_the_first_closing_mark_of_their_line():
    text = "[a [b] c] [d\n]"
    assert cut(text, enclosed_spans(text, "[", "]")) == ["[a [b]"]


def test_sentence_spans__long_text_is_cut_between_sentences():
    text = "It rains here. " * (2 * MAX_PIECE // 15)
    assert set(cut(text, sentence_spans(text))) == {"It rains here."}


@settings(deadline=None)
@given(st.text(st.sampled_from("ab A.?!\"'`-()\n\u201c"), max_size=60))
def test_token_spans__are_in_order_and_cover_all_but_white_space(text):
    pieces = cut(text, token_spans(text))
    assert "".join(pieces) == "".join(text.split())


def test_token_spans__equal_those_of_nltk():
    from nltk.tokenize import NLTKWordTokenizer

    text = "She said: \"I can't -- won't -- go, OK?\" It's $3.50 (or less), isn't it?"
    tokens = [token for sentence in cut(text, sentence_spans(text)) for token in NLTKWordTokenizer().tokenize(sentence)]
    assert cut(text, token_spans(text)) == ['"' if token in QUOTES else token for token in tokens]
