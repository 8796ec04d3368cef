"""The protocol of the slots: what is trained, in which order, at which rates."""

import json
from dataclasses import replace

import pytest

from launch.bench.arms import train_arm
from launch.bench.compare import BenchArm
from launch.bench.slots import (
    DEALT,
    LARGE_GROUPS,
    PHASES,
    RATES,
    RULES,
    SAME_RATE,
    SEEDS,
    TUNING_SEEDS,
    Cell,
    num_runs,
    tuned_rate,
    tuning,
)


def result(run, area):
    cell, seed = run
    return BenchArm(name=cell.name, seed=seed, steps=[0, 6], scores=[area, area])


def trained(phases, best):
    """Run the phases on made-up results: at the rate `best` of its rule a tuning run scores 0.9, elsewhere 0.5."""
    results, batches = {}, []
    for phase in phases:
        batches.append(phase(results))
        results |= {run: result(run, 0.9 if run[0].rate == best[run[0].rule] else 0.5) for run in batches[-1]
                    if run[0].rule in best}  # fmt: skip
        results |= {run: result(run, 0.5) for run in batches[-1] if run not in results}
    return results, batches


BEST = {"uniform": 5e-4, "constraint": 2e-3}


def test_phases__train_every_rule_at_its_tuned_rate_with_every_seed():
    results, _ = trained(PHASES, BEST)
    for slots, seeds in SEEDS.items():
        for rule in RULES:
            rate = 2e-3 if rule in ("constraint", DEALT, "combined") else 5e-4
            runs = {(Cell(slots=slots, rule=rule, rate=rate), seed) for seed in range(seeds)}
            assert runs <= results.keys() or (slots, rule) == (1, DEALT)
    # with one slot there is no other slot
    assert not [cell for cell, _ in results if cell.slots == 1 and cell.rule == DEALT]


def test_phases__begin_with_four_slots_at_one_rate_a_seed_at_a_time():
    first = PHASES[0]({})
    assert [(cell.rule, seed) for cell, seed in first[:4]] == [
        ("uniform", 0), ("constraint", 0), ("uniform", 1), ("constraint", 1)
    ]  # fmt: skip
    assert {(cell.slots, cell.rate) for cell, _ in first} == {(4, SAME_RATE)}


def test_phases__choose_rates_by_seeds_that_no_comparison_uses():
    _, batches = trained(PHASES, BEST)
    tuned = [run for batch in batches for run in batch if run[1] in TUNING_SEEDS]
    assert {cell.rate for cell, _ in tuned} == set(RATES)
    assert all(seed < 12 for batch in batches for _, seed in batch if seed not in TUNING_SEEDS)
    assert len(tuned) == sum(len(tuning(slots)) for slots in SEEDS) == 30 + 3 * 20


def test_num_runs__counts_what_the_phases_ask_for():
    _, batches = trained(PHASES, BEST)
    # 24 at one rate; 30 + 3 x 20 for the rates; 12 x 7 + 6 x (7 + 6 + 7) compared; 12 in larger groups
    assert num_runs() == sum(map(len, batches)) == 24 + 90 + 84 + 120 + 12


def test_tuned_rate__leaves_out_a_rate_of_which_an_arm_failed():
    runs = tuning(4)
    results = {run: result(run, run[0].rate) for run in runs}  # the larger the rate, the better
    assert tuned_rate(results, 4, "entropy") == 4e-3
    failed = next(run for run in runs if run[0].rate == 4e-3 and run[0].rule == "uniform")
    del results[failed]
    assert (tuned_rate(results, 4, "uniform"), tuned_rate(results, 4, "combined")) == (2e-3, 4e-3)
    assert tuned_rate({}, 4, "uniform") is None


@pytest.mark.parametrize("rule", RULES)
def test_cell__arms_of_a_seed_differ_in_credit_and_rate_alone(untrained, tmp_path, rule):
    uniform = Cell(slots=4, rule="uniform", rate=1e-3).arm(3).config(tmp_path).model_dump()
    other = Cell(slots=4, rule=rule, rate=2e-3).arm(3).config(tmp_path).model_dump()
    differing = {key for key, value in uniform.items() if other[key] != value}
    assert differing <= {"credit", "run", "trainer"}
    assert other["trainer"] == {**uniform["trainer"], "learning_rate": 2e-3}
    assert other["credit"]["rule"] == ("constraint" if rule == DEALT else rule)


def test_cell__of_larger_groups_samples_as_many_completions(untrained, tmp_path):
    small, large = (
        Cell(slots=4, rule="uniform", rate=1e-3),
        Cell(slots=4, rule="uniform", rate=1e-3, groups=LARGE_GROUPS),
    )
    sizes = [cell.arm(0).config(tmp_path).trainer for cell in (small, large)]
    assert [size.per_device_train_batch_size for size in sizes] == [64, 64]
    assert [size.num_generations for size in sizes] == [8, 16]
    assert small.name != large.name


def test_cell__dealt_gives_each_verdict_another_slots_character(untrained, tmp_path):
    arms = [Cell(slots=2, rule=rule, rate=1e-3).arm(0) for rule in ("constraint", DEALT)]
    placed = [arm.task.problems(arm.config(tmp_path), 0, arm.budget)[0][0].constraints for arm in arms]
    assert [[spec.kwargs["evidence_at"] for spec in specs] for specs in placed] == [[0, 1], [1, 0]]


@pytest.mark.slow
def test_cell__is_trained_with_verdicts_that_show_their_character(untrained, tmp_path):
    arm = Cell(slots=2, rule="constraint", rate=1e-3, groups=(2, 2)).arm(0)
    arm = replace(arm, budget=replace(arm.budget, steps=2, num_problems=16, num_held_out=8))
    result = train_arm(arm, tmp_path)
    assert (result.name, result.steps, len(result.perfect)) == ("2-constraint-0.001-2x2", [0, 1, 2], 3)
    assert result.cpu_seconds is not None and result.cpu_seconds > 0.0
    lines = [json.loads(line) for line in (arm.folder(tmp_path) / "rollouts.jsonl").read_text().splitlines()]
    evidence = {(place, tuple(map(tuple, verdict["evidence"]))) for line in lines if len(line["completion"]) >= 2
                for place, verdict in enumerate(line["verdicts"])}  # fmt: skip
    assert evidence <= {(0, ((0, 1),)), (1, ((1, 2),))}
