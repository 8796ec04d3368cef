"""KITAB: titles are matched, counted once, and the shares add up."""

import pytest

from data.kitab import BookQuery, evaluate_books, query_from_row, same_title

AUSTEN = BookQuery(
    author="Jane Austen",
    constraint="The title begins with the letter S or P.",
    books=("Emma", "Persuasion", "Sanditon", "Sense and Sensibility"),
    satisfying=("Persuasion", "Sanditon", "Sense and Sensibility"),
)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("Emma", "emma", True),
        ("Emma", '"Emma."', True),
        ("Sense and Sensibility", "Sense and Sensibility (1811)", True),  # one contains the other
        ("Persuasion", "Persuasoin", True),  # two of ten letters changed: 80 % alike
        ("Persuasion", "Persuadion", True),
        ("Persuasion", "Parsuadian", False),  # three of ten: 70 %
        ("Emma", "", False),
    ],
)
def test_same_title__matches_substrings_or_80_percent(first, second, same):
    assert same_title(first, second) is same
    assert same_title(second, first) is same


def test_evaluate_books__every_title_has_a_status():
    answer = (
        "1. Reason: it begins with P. Title: Persuasion\n2. Title: Emma\n3. Title: Middlemarch\n4. Title: sanditon."
    )
    report = evaluate_books(answer, AUSTEN)
    assert [(item.book, item.status) for item in report.items] == [
        ("Persuasion", "satisfied"),
        ("Emma", "unsatisfied"),
        (None, "irrelevant"),
        ("Sanditon", "satisfied"),
    ]
    # 2 of 4 satisfied, 1 unsatisfied, 1 irrelevant; 2 of the 3 that satisfy are named
    assert (report.satisfied, report.unsatisfied, report.irrelevant) == (0.5, 0.25, 0.25)
    assert report.completeness == 2 / 3 and not report.all_correct


def test_evaluate_books__spans_hold_the_titles():
    answer = "Here you are:\n1. Emma\n2) Sanditon"
    assert [answer[slice(*item.span)] for item in evaluate_books(answer, AUSTEN).items] == ["Emma", "Sanditon"]


def test_evaluate_books__repeated_book_counts_once():
    report = evaluate_books("1. Sanditon\n2. SANDITON\n3. Ulysses\n4. Ulysses", AUSTEN)
    assert [item.book for item in report.items] == ["Sanditon", None]


def test_evaluate_books__all_correct_means_all_and_only():
    complete = "1. Persuasion\n2. Sanditon\n3. Sense and Sensibility"
    assert evaluate_books(complete, AUSTEN).all_correct
    assert not evaluate_books(complete + "\n4. Emma", AUSTEN).all_correct
    assert not evaluate_books("1. Persuasion", AUSTEN).all_correct


def test_evaluate_books__answer_without_titles_scores_0():
    report = evaluate_books("I know no such book.", AUSTEN)
    assert (report.items, report.satisfied, report.irrelevant, report.completeness) == ((), 0.0, 0.0, 0.0)
    assert not report.all_correct


def test_evaluate_books__closest_book_matches():
    query = BookQuery(
        author="A", constraint="c", books=("The Sea", "The Sea, the Sea"), satisfying=("The Sea, the Sea",)
    )
    assert evaluate_books("1. The Sea, The Sea", query).items[0].book == "The Sea, the Sea"


def test_query_from_row__reads_columns_and_names_what_is_wrong():
    row = {"Author": "A", "constraints": "c", "all_books": ["Emma", "Sanditon"], "mapped_books": ["Emma"]}
    assert query_from_row(row) == BookQuery(
        author="A", constraint="c", books=("Emma", "Sanditon"), satisfying=("Emma",)
    )
    with pytest.raises(ValueError, match=r"missing \['mapped_books'\]"):
        query_from_row({**row, "mapped_books": None})
    with pytest.raises(ValueError, match=r"\['Ulysses'\] are not"):
        query_from_row({**row, "mapped_books": ["Ulysses"]})
