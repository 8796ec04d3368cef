"""Findings: each says what it saw only where it is so."""

import pytest

from rl.report.findings import findings
from rl.report.run import read_run
from tests.rl.report.run_fixtures import make_folder, make_summary


@pytest.fixture
def texts(tmp_path):
    """The findings of a run with these figures, as `level: text`."""

    def found(metrics=(), summary=None) -> list[str]:
        run = read_run(make_folder(tmp_path / "run", metrics=list(metrics), summary=summary))
        return [f"{finding.level}: {finding.text}" for finding in findings(run)]

    return found


def steps(name, *values):
    return [{"step": step, name: value} for step, value in enumerate(values, start=1)]


def test_an_unfinished_run_says_how_to_continue(texts):
    (told,) = texts(steps("reward", 0.1, 0.2))
    assert told.startswith("warn: Not finished: step 2 of 4. Continue it with: heed train ")


@pytest.mark.parametrize(
    ("low", "high", "begins"),
    [
        (0.01, 0.3, "good: The gain is more"),
        (-0.1, 0.3, "note: The gain may be"),
        (-0.3, -0.1, "warn: The adapter is worse"),
    ],
)
def test_the_interval_is_read(texts, low, high, begins):
    (told,) = texts(summary=make_summary(low=low, high=high))
    assert told.startswith(begins)


def test_shrunken_and_collapsed_answers_are_told(texts):
    summary = make_summary(low=0.1)
    summary["after"] |= {"mean_words": 14.9, "distinct_share": 0.79}
    shrank, collapsed, gain = texts(summary=summary)
    assert "from 20.0 to 14.9 words" in shrank  # below three quarters of 20
    assert "distinct words of the answers fell from 0.90 to 0.79" in collapsed
    assert gain.startswith("good")


def test_only_the_last_quarter_of_the_training_counts(texts):
    finished = make_summary(low=0.1)
    early = steps("frac_reward_zero_std", 1.0, 1.0, 1.0, 0.5)
    assert len(texts(early, finished)) == 1


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("frac_reward_zero_std", (0.0, 0.0, 0.0, 0.6), "60% of the groups scored all alike"),
        ("completions/clipped_ratio", (0.0, 0.0, 0.0, 0.31), "31% of the completions were cut off"),
        ("entropy", (2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.5), "entropy fell from 2.00 to 0.50"),
    ],
)
def test_idle_groups_cut_completions_and_lost_entropy(texts, name, values, told):
    warning, _ = texts(steps(name, *values), make_summary(low=0.1))
    assert warning.startswith("warn: ") and told in warning
