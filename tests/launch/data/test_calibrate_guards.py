"""Calibration of guards: bounds by hand, the file it reads, and what it refuses."""

import json

import pytest

from launch.data.calibrate_guards import calibrate_guards_command, fluency_bounds, shuffled_words
from rl.common.errors import UserError


def write_answers(path, number, **columns):
    rows = [{"prompt": f"Describe hill {at}.", **columns} for at in range(number)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_fluency_bounds__two_percent_of_the_answers_and_half_of_the_shuffled_ones_lie_below():
    # 101 values from -1 to 0 in steps of 0.01: two of a hundred steps up from the lowest
    assert fluency_bounds([-at / 100 for at in range(101)], [-5.0, -4.0, -2.0]) == (-0.98, -4.0)


def test_shuffled_words__keep_their_words_and_change_their_order():
    text = "The rain falls on the hills and on the sea."
    (shuffled,) = shuffled_words([text])
    assert sorted(shuffled.split()) == sorted(text.split()) and shuffled != text
    assert shuffled_words([text]) == [shuffled]


def test_calibrate_guards__too_few_answers_are_an_error(tmp_path):
    path = write_answers(tmp_path / "few.jsonl", 30)
    with pytest.raises(UserError, match="has 0 prompts with an answer in the column completion or response"):
        calibrate_guards_command("tiny", path)


def test_calibrate_guards__a_model_that_knows_no_order_is_refused(tmp_path):
    path = write_answers(tmp_path / "answers.jsonl", 20, response="Rain.")  # one word has one order
    with pytest.raises(UserError, match="could not tell them apart"):
        calibrate_guards_command("tiny", path)


@pytest.mark.slow
def test_calibrate_guards__the_real_model_prefers_words_in_order(tmp_path):
    path = write_answers(
        tmp_path / "answers.jsonl", 20, completion="It is a small green hill, and there are sheep on top of it."
    )
    ordinary, hopeless = calibrate_guards_command("smollm2-135m-instruct", path)["fluency"]
    assert -4.0 < ordinary < 0 and hopeless < ordinary - 1
