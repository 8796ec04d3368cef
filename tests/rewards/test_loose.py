"""Loose verdicts: IFEval's eight variants."""

from rewards.loose import loose_variants, verify_loosely


def test_loose_variants__are_eight():
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


def test_verify_loosely__ignores_an_introduction_and_a_farewell():
    assert verify_loosely("startend:quotation", 'Here it is:\n"Rain falls."\nBye!', prompt="")
    assert not verify_loosely("punctuation:no_comma", "Sure:\na, b\nBye!", prompt="")


def test_verify_loosely__blank_variants_satisfy_nothing():
    assert verify_loosely("punctuation:no_comma", "a, b", prompt="") is False


def test_verify_loosely__is_none_where_nothing_applies():
    assert verify_loosely("table:row_limit", "No table.", prompt="", maximum=3) is None
