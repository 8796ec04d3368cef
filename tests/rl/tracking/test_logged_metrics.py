"""Logged metrics: every line reaches the trackers, and `rl/METRICS.md` lists every name."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import wandb

import rl
from rl.runs.jsonl import read_jsonl
from rl.train import train
from tests.rl.dpo_fixtures import credit_dpo_trainer, tiny_dpo_config, write_pairs
from tests.rl.grpo_fixtures import EVEN_SHARE, tiny_config
from tests.rl.rollouts.in_process_pool import use_in_process_pool
from tests.rl.routing.test_routed_training import routed, routed_config, trained

DOCUMENT = Path(rl.__file__).parent / "METRICS.md"
NOT_TRIED = "## Only with some settings"
"""What stands below this heading is logged by none of the runs here."""


@dataclass(slots=True)
class FakeWandbRun:
    """A stand-in for a run of wandb: it records what is logged."""

    id: str = "fake"
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)

    def log(self, metrics: dict[str, Any]) -> None:
        self.history.append(metrics)

    def ignore(self, *_: Any, **__: Any) -> None:
        """Accept what a real run would send."""

    define_metric = log_artifact = finish = ignore


@dataclass(frozen=True, kw_only=True, slots=True)
class TrackedRun:
    """The lines of `metrics.jsonl`, and what reached wandb."""

    lines: list[dict[str, Any]]
    sent: list[dict[str, Any]]


def distinct_share(completion_ids: list[list[int]], **_: Any) -> list[float]:
    """Reward a completion by its share of distinct tokens."""
    return [len(set(ids)) / len(ids) for ids in completion_ids]


@pytest.fixture(scope="module")
def tracked_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrackedRun]:
    """A GRPO run with a worker, guards, balanced rewards, evaluations, and checks that fail."""
    config = tiny_config(
        data={"num_problems": 8, "held_out": 2},
        run={"folder": str(tmp_path_factory.mktemp("runs") / "tracked")},
        rewards={
            "satisfaction_weight": 1.0,
            "functions": [EVEN_SHARE, f"{__file__}:distinct_share"],
            "guards": ["length_floor"],
            "balance": {"constraints": {"schedule": "rising"}},
            "collapse_fall": 0.01,
            "collapse_window": 1,
        },
        trainer={"seed": 2, "max_completion_length": 16},  # whose second step has shorter completions than its first
        credit={"rule": "combined", "faithfulness": {"every": 2, "resample": True, "completions": 2, "threshold": 1e9}},
        probe={"listen": "always", "indicators": True},
        rollouts={"workers": 1, "max_staleness": 1, "groups_per_unit": 1},
        evaluation={"every": 2},
        tracking={"report_to": ["wandb"]},
    )
    wandb_run = FakeWandbRun()
    with pytest.MonkeyPatch.context() as patch:
        use_in_process_pool(patch)
        patch.setattr(wandb, "init", lambda **_: wandb_run)
        folder = train(config)
    yield TrackedRun(lines=read_jsonl(folder / "metrics.jsonl"), sent=wandb_run.history)


def one_reward(completion_ids: list[list[int]], **_: Any) -> list[float]:
    """Reward every completion alike."""
    return [1.0] * len(completion_ids)


@pytest.fixture(scope="module")
def idle_lines(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The metrics of a GRPO run whose completions never differ in reward."""
    config = tiny_config(
        rewards={"functions": [f"{__file__}:one_reward"], "standstill_steps": 2},
        trainer={"max_steps": 3, "beta": 0.0},
        run={"folder": str(tmp_path_factory.mktemp("idle") / "run")},
        tracking={"report_to": []},
    )
    return read_jsonl(train(config) / "metrics.jsonl")


def test_standstill__is_told_once_by_a_run_that_learns_nothing(idle_lines):
    assert [line["loss"] for line in idle_lines if "loss" in line] == [0.0] * 3
    (line,) = [line for line in idle_lines if "standstill" in line]
    assert line["step"] == 2 and line["standstill"].startswith(
        "standstill: in the last 2 steps every completion earned"
    )


def test_wandb__gets_every_line_of_the_metrics(tracked_run):
    assert any("eval/pass_rate" in line for line in tracked_run.lines)
    assert any("collapse" in line for line in tracked_run.lines)
    sent = [line for line in tracked_run.sent if "rollouts" not in line]
    assert [{name.removeprefix("train/"): value for name, value in line.items()} for line in sent] == [
        {**{name: value for name, value in line.items() if name != "step"}, "global_step": line["step"]}
        for line in tracked_run.lines
    ]


@pytest.fixture(scope="module")
def logged(
    tracked_run: TrackedRun, idle_lines: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> set[str]:
    """The names that GRPO runs, a routed one and a DPO run log."""
    folder = tmp_path_factory.mktemp("trainings")
    routing = {"router": "attention", "learn": "policy", "top": None}
    routed_trainer = trained(routed(folder / "routed", routed_config(routing=routing, trainer={"max_steps": 1})))
    settings = {"credit": {"rule": "constraint"}, "trainer": {"max_steps": 1}}
    dpo_trainer = credit_dpo_trainer(tiny_dpo_config(write_pairs(folder), **settings), folder / "dpo")
    dpo_trainer.train()
    histories = [tracked_run.lines, idle_lines, routed_trainer.state.log_history, dpo_trainer.state.log_history]
    return {name for history in histories for line in history for name in line}


def names_in(text: str) -> set[str]:
    """Return the names in the first column of the tables of a document."""
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def matches(name: str, listed: str) -> bool:
    """Return whether a logged name is the listed one, whose braces stand for any text without a slash."""
    return re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(listed)), name) is not None


def test_document__lists_every_logged_metric(logged):
    listed = names_in(DOCUMENT.read_text(encoding="utf-8"))
    assert {name for name in logged if not any(matches(name, entry) for entry in listed)} == set()


def test_document__lists_nothing_that_no_run_logs(logged):
    listed = names_in(DOCUMENT.read_text(encoding="utf-8").partition(NOT_TRIED)[0])
    assert listed
    assert {entry for entry in listed if not any(matches(name, entry) for name in logged)} == set()


def test_matches__braces_stand_for_one_part_of_a_name():
    assert matches("constraint/length:word_range/pass_rate", "constraint/{kind}/pass_rate")
    assert not matches("constraint/a/b/pass_rate", "constraint/{kind}/pass_rate")
    assert not matches("kl", "entropy")
