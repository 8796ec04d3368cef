"""Loose verdicts: IFEval's eight variants."""

from rewards.loose import loose_variants, verify_loosely


def test_the_eight_variants():
    assert loose_variants("Sure!\n*a*\nBye") == (
        "Sure!\n*a*\nBye",
        "*a*\nBye",
        "Sure!\n*a*",
        "*a*",
        "Sure!\na\nBye",
        "a\nBye",
        "Sure!\na",
        "a",
    )


def test_an_introduction_and_a_farewell_are_forgiven():
    assert verify_loosely("startend:quotation", 'Here it is:\n"Rain falls."\nBye!', prompt="")
    assert not verify_loosely("punctuation:no_comma", "Sure:\na, b\nBye!", prompt="")


def test_a_text_of_one_line_is_not_satisfied_by_its_blank_rest():
    assert verify_loosely("punctuation:no_comma", "a, b", prompt="") is False


def test_what_applies_to_no_variant_has_no_verdict():
    assert verify_loosely("table:row_limit", "No table.", prompt="", maximum=3) is None
