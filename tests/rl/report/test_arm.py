"""Arms: which runs are one, what they say together, and which of two is better."""

import pytest

from rl.common.atomic import write_json
from rl.report.arm import Arm, difference, group_into_arms
from rl.report.findings import arm_findings
from rl.report.run import read_run
from rl.report.write import render
from tests.rl.report.run_fixtures import letter_spans, make_answer, make_folder, make_summary, page_data

SATISFIED, VIOLATED = (["punctuation:no_comma", True],), (["punctuation:no_comma", False],)


@pytest.fixture
def make_run(tmp_path):
    def make(
        name: str, *, rewards: tuple[float, ...] = (0.5,), gain: float = 0.1, satisfied: int | None = None, **settings
    ):
        """A run of as many steps as rewards; of its four answers, `satisfied` satisfy their constraint."""
        metrics = [{"step": step, "reward": reward} for step, reward in enumerate(rewards, start=1)]
        folder = make_folder(tmp_path / name, metrics=metrics, summary=make_summary(mean=gain), **settings)
        if satisfied is not None:
            answers = [
                make_answer(problem_id=str(n), satisfied=SATISFIED if n < satisfied else VIOLATED) for n in range(4)
            ]
            write_json(folder / "after.json", {"answers": answers})
        return read_run(folder)

    return make


def seeded(make_run, rule: str, *runs: dict) -> Arm:
    """An arm, a seed for each of `runs`."""
    made = [
        make_run(f"{rule}-{seed}", credit={"rule": rule}, trainer={"seed": seed}, **changes)
        for seed, changes in enumerate(runs)
    ]
    return Arm(runs=tuple(made))


def test_group_into_arms__runs_that_differ_in_seeds_are_one_arm(make_run):
    runs = [make_run(f"run-{seed}", trainer={"seed": seed}, data={"seed": seed}) for seed in range(3)]
    other = make_run("other", credit={"rule": "coupled"})
    arms = group_into_arms([runs[0], other, *runs[1:]])
    assert [[run.name for run in arm.runs] for arm in arms] == [["run-0", "run-1", "run-2"], ["other"]]
    assert (arms[0].name, arms[0].seeds) == ("run-0 and 2 more", "0, 1, 2")


def test_group_into_arms__three_are_refused(make_run):
    runs = [make_run(rule, credit={"rule": rule}) for rule in ("uniform", "coupled", "random")]
    with pytest.raises(ValueError, match=r"compares at most two arms.*these are uniform; coupled; random"):
        group_into_arms(runs)


def test_group_into_arms__a_seed_twice_is_refused(make_run):
    run = make_run("one")
    for runs in ([run, run], [run, make_run("two"), make_run("three")]):
        with pytest.raises(ValueError, match="the same settings with the same seed twice"):
            group_into_arms(runs)


def test_group_into_arms__the_same_run_by_other_code_is_compared(make_run):
    assert [arm.name for arm in group_into_arms([make_run("one"), make_run("two")])] == ["one", "two"]


def test_held_out__of_several_seeds(make_run):
    # make_summary: 0.5 before and after, one of two satisfied; Student's half-width of 0.1, 0.2, 0.3 is 0.24843
    held_out = seeded(make_run, "uniform", {"gain": 0.1}, {"gain": 0.2}, {"gain": 0.3}).held_out()
    assert held_out is not None
    assert (held_out.before, held_out.after, held_out.gains) == (0.5, 0.5, (0.1, 0.2, 0.3))
    assert (held_out.gain.low, held_out.gain.high) == pytest.approx((0.2 - 0.24843, 0.2 + 0.24843), abs=1e-4)
    assert held_out.kinds["after"] == {"punctuation:no_comma": {"satisfied": 3, "of": 6}}


def test_held_out__one_run_keeps_its_interval_over_problems(make_run):
    held_out = seeded(make_run, "uniform", {}).held_out()
    assert held_out is not None and (held_out.gain.low, held_out.gain.high) == (-0.1, 0.3)


def test_difference__is_paired_by_seed(make_run):
    # of four: 1 -> 3 and 2 -> 3 satisfied, so +0.5 and +0.25: mean 0.375, deviation 0.17678, half 12.706 x 0.125
    base = seeded(make_run, "uniform", {"satisfied": 1}, {"satisfied": 2})
    gain = difference(base, seeded(make_run, "coupled", {"satisfied": 3}, {"satisfied": 3}))
    assert gain is not None and gain.over == "2 seeds, paired"
    assert (gain.interval.mean, gain.interval.high) == pytest.approx((0.375, 0.375 + 12.706 * 0.125))


def test_difference__of_one_seed_is_paired_by_problem(make_run):
    gain = difference(seeded(make_run, "uniform", {"satisfied": 0}), seeded(make_run, "coupled", {"satisfied": 4}))
    assert gain is not None and (gain.interval.mean, gain.interval.low) == (1.0, 1.0)
    assert gain.over.startswith("4 problems of one seed")


@pytest.mark.parametrize("seed", [0, 1])
def test_difference__is_none_where_no_seed_is_shared(seed, make_run):
    base = seeded(make_run, "uniform", {"satisfied": 0})
    other = Arm(runs=(make_run("coupled", credit={"rule": "coupled"}, trainer={"seed": seed}, satisfied=4),))
    assert (difference(base, other) is None) == (seed == 1)


def test_page__shows_mean_and_range_of_the_seeds(make_run):
    arms = group_into_arms(
        [
            *seeded(
                make_run, "uniform", {"rewards": (0.0, 1.0), "satisfied": 1}, {"rewards": (0.5, 0.5), "satisfied": 2}
            ).runs,
            *seeded(make_run, "coupled", {"satisfied": 3}, {"satisfied": 3}).runs,
        ]
    )
    page = render(arms, [letter_spans, letter_spans])
    (curve,) = [curve for curve in page_data(page)["arms"][0]["curves"] if curve["name"] == "reward"]
    assert (curve["values"], curve["low"], curve["high"]) == ([0.25, 0.75], [0.0, 0.5], [0.5, 1.0])
    assert "seeds 0, 1" in page
    assert "<b>+0.375</b> coupled-0 and 1 more over uniform-0 and 1 more" in page


def test_arm_findings__name_their_seed(make_run):
    texts = [finding.text for finding in arm_findings(seeded(make_run, "uniform", {}, {}))]
    assert {text.partition(":")[0] for text in texts} == {"Seed 0", "Seed 1"}
