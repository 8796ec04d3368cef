"""Text units: words, sentences, lines and paragraphs."""

from hypothesis import given, settings
from hypothesis import strategies as st

from rewards.folding import fold
from rewards.sentences import MAX_PIECE
from rewards.text import (
    enclosed_spans,
    line_spans,
    paragraph_spans,
    published_sentence_spans,
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


CURLY = "He said \u201cGo.\u201d She left. \u2018Why?\u2019 \u00abNo.\u00bb"


def test_sentence_spans__curly_quotes_stay_with_their_sentence_in_every_release_of_nltk():
    sentences = ["He said \u201cGo.\u201d", "She left.", "\u2018Why?\u2019", "\u00abNo.\u00bb"]
    assert cut(CURLY, sentence_spans(CURLY)) == sentences


def test_published_sentence_spans__are_those_of_the_release_behind_the_published_verdicts():
    # To it a curly quote is no mark: `.\u201d` ends no sentence, and a quote alone may be one.
    assert cut(CURLY, published_sentence_spans(CURLY))[0] == "He said \u201cGo.\u201d She left."
    straight = CURLY.translate(str.maketrans("\u201c\u201d\u2018\u2019\u00ab\u00bb", "\"\"''()"))
    assert cut(straight, published_sentence_spans(straight)) == ['He said "Go."', "She left.", "'Why?'", "(No.)"]


def test_word_spans__keep_marks_and_hidden_characters_inside_and_need_a_letter_or_digit():
    assert cut("cafe\u0301 ra\u200bin _ __a__", word_spans("cafe\u0301 ra\u200bin _ __a__")) == [
        "cafe\u0301",
        "ra\u200bin",
        "a__",
    ]


def test_fold__a_text_reads_alike_and_spans_lead_back():
    text = "\uff32\u0430i\u200bn \u1d00 e\u0301\u0336 \ufb01"  # full-width R, Cyrillic a, a small capital, a ligature
    folded, spans = fold(text)
    assert folded == "Rain a \xe9 fi"
    assert [text[start:end] for start, end in spans[:4]] == ["\uff32", "\u0430", "i\u200b", "n"]
    assert spans[-2:] == ((len(text) - 1, len(text)),) * 2
    assert fold("plain") == ("plain", ())
