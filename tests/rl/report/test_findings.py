"""Findings: each is given where its condition holds, and nowhere else."""

import pytest

from rl.report.findings import findings
from rl.report.run import read_run
from tests.rl.report.run_fixtures import make_folder, make_summary


@pytest.fixture
def texts(tmp_path):
    """Return a function from metrics and summary to the findings, as `level: text`."""

    def make(metrics=(), summary=None) -> list[str]:
        run = read_run(make_folder(tmp_path / "run", metrics=list(metrics), summary=summary))
        return [f"{finding.level}: {finding.text}" for finding in findings(run)]

    return make


def steps(name, *values):
    return [{"step": step, name: value} for step, value in enumerate(values, start=1)]


def test_findings__an_unfinished_run_says_how_to_continue(texts):
    (text,) = texts(steps("reward", 0.1, 0.2))
    assert text.startswith("warn: Not finished: step 2 of 4. Continue it with: heed resume ")


@pytest.mark.parametrize(
    ("low", "high", "begins"),
    [
        (0.01, 0.3, "good: The gain is more"),
        (-0.1, 0.3, "note: The gain may be"),
        (-0.3, -0.1, "warn: The adapter is worse"),
    ],
)
def test_findings__the_interval_decides(texts, low, high, begins):
    (text,) = texts(summary=make_summary(low=low, high=high))
    assert text.startswith(begins)


def test_findings__warn_of_shorter_and_poorer_answers(texts):
    summary = make_summary(low=0.1)
    summary["after"] |= {"mean_words": 14.9, "distinct_share": 0.79}
    shrank, collapsed, gain = texts(summary=summary)
    assert "from 20.0 to 14.9 words" in shrank  # below three quarters of 20
    assert "distinct words of the answers fell from 0.90 to 0.79" in collapsed
    assert gain.startswith("good")


@pytest.mark.parametrize(("before", "after", "level"), [(0.1, 0.5, "warn"), (0.1, 0.15, "note")])
def test_findings__trip_wires_warn_where_hacking_rose(texts, before, after, level):
    summary = make_summary(low=0.1)
    summary["before"] |= {"hacked": before}
    summary["after"] |= {"hacked": after}
    (text,) = [text for text in texts(summary=summary) if "Trip wires" in text]
    assert text.startswith(f"{level}: Trip wires: {after:.0%} of the answers")


def test_findings__only_the_last_quarter_of_the_training_counts(texts):
    finished = make_summary(low=0.1)
    early = steps("frac_reward_zero_std", 1.0, 1.0, 1.0, 0.5)
    assert len(texts(early, finished)) == 1


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("frac_reward_zero_std", (0.0, 0.0, 0.0, 0.6), "60% of the groups had equal rewards"),
        ("completions/clipped_ratio", (0.0, 0.0, 0.0, 0.31), "31% of the completions were cut off"),
        ("entropy", (2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.5), "entropy fell from 2.00 to 0.50"),
    ],
)
def test_findings__warn_of_equal_groups_cut_completions_and_lost_entropy(texts, name, values, expected):
    warning, _ = texts(steps(name, *values), make_summary(low=0.1))
    assert warning.startswith("warn: ") and expected in warning
