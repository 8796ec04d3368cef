"""Refill: groups without signal are replaced by the next prompts and accounted for; a resume changes no bit."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from rewards.python_file import load_python_file
from rl.rollouts.data_order import REFILL
from rl.rollouts.ledger import Ledger, ledger_path
from rl.trainers.grpo import CreditGRPOTrainer
from tests.launch.multi_rank import run_together
from tests.rl.grpo_fixtures import Outcome, credit_trainer, outcome, tiny_config

FLAT = ("train-0-0", "train-0-3", "train-0-5")
"""Problems whose completions all earn the same; the order of the data gives them with two others a step."""
SEEN: list[tuple[list, list[str]]] = []
"""Prompts and problem ids that the reward function was given, a call each; `seen` finds those of a training."""


def flat_for_some(completion_ids, problem_id, prompts, **_):
    SEEN.append((prompts, problem_id))
    return [
        0.5 if name in FLAT else sum(token % 2 == 0 for token in ids) / len(ids)
        for ids, name in zip(completion_ids, problem_id, strict=True)
    ]


CONFIG = tiny_config(
    rewards={"functions": [f"{__file__}:flat_for_some"]},
    rollouts={"refill": 2},
    trainer={"max_steps": 4, "save_steps": 1, "save_total_limit": 4},
)


def seen() -> list[tuple[list, list[str]]]:
    """Return `SEEN` of this file as a training loads it, which is another module than pytest's."""
    return load_python_file(Path(__file__)).SEEN


def events(path: Path, event: str) -> dict[int, str]:
    """Return position -> detail of the surviving events of one kind, from a ledger or that of a run folder."""
    with sqlite3.connect(path / "ledger.sqlite" if path.is_dir() else path) as ledger:
        query = "SELECT position, detail FROM events WHERE event = ? AND undone = 0"
        return dict(ledger.execute(query, (event,)).fetchall())


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[Outcome, Path]:
    folder = tmp_path_factory.mktemp("undisturbed")
    trainer = credit_trainer(CONFIG, folder)
    trainer.train()
    return outcome(trainer), folder


def test_refill__groups_without_signal_are_dropped_and_the_next_prompts_trained(undisturbed):
    _, folder = undisturbed
    planned, trained, dropped = (events(folder, event) for event in ("planned", "trained", "dropped"))
    # 4 steps of 8 completions are 8 groups; the problems of one epoch are 8, of which 3 have no signal
    assert set(planned) == set(trained) | set(dropped) and len(trained) == 8
    assert dropped and set(dropped.values()) == {"no signal"}
    assert all(planned[position] in FLAT for position in dropped)
    replaced = {position: position + REFILL for position in dropped}
    assert all(new in planned for new in replaced.values())
    # only what was replaced twice may be trained without signal
    assert all(position >= 2 * REFILL for position in trained if planned[position] in FLAT)


def test_refill__rewards_see_each_prompt_beside_its_own_problem(undisturbed):
    known: dict[str, object] = {}
    assert len(seen()) > 4, "replaced groups were rewarded, too"
    for prompts, names in seen():
        for prompt, name in zip(prompts, names, strict=True):
            assert known.setdefault(name, prompt) == prompt


@pytest.mark.parametrize("step", [1, 3])
def test_refill__a_resume_changes_no_bit_and_loses_no_sample(step, undisturbed, tmp_path):
    expected, folder = undisturbed
    run = tmp_path / "run"
    shutil.copytree(folder, run)
    trainer: CreditGRPOTrainer = credit_trainer(CONFIG, run)
    trainer.train(resume_from_checkpoint=str(run / f"checkpoint-{step}"))
    assert outcome(trainer) == expected
    for event in ("planned", "trained", "dropped"):
        assert events(run, event) == events(folder, event)
    assert trainer.rollouts.ledger is not None
    totals = trainer.rollouts.ledger.totals()
    assert totals.dispatched == totals.trained + totals.dropped and totals.trained == 32


def test_refill__each_completion_is_rewarded_once(tmp_path):
    seen().clear()
    trainer = credit_trainer(CONFIG, tmp_path / "run")
    trainer.train()
    assert sum(len(names) for _, names in seen()) == 4 * len(events(tmp_path / "run", "planned"))


def test_refill__two_ranks_replace_groups_of_their_own_and_order_the_next_epoch_alike(tmp_path):
    run = tmp_path / "run"
    run_together(
        run,
        f"rewards.functions=[{__file__}:flat_for_some]",
        "rewards.satisfaction_weight=0",
        "rollouts.refill=1",
        "data.order=easy_first",
        "data.num_problems=8",
        "trainer.max_steps=6",
    )
    # a batch is one group on each of two ranks, so that 8 problems are 4 steps, and the fifth begins the second epoch
    planned: dict[int, str] = {}
    rewards: dict[str, float] = {}
    for rank in range(2):
        ledger = Ledger(ledger_path(run, rank), num_generations=4)
        mine, trained, dropped = (events(ledger.path, event) for event in ("planned", "trained", "dropped"))
        assert set(mine) == set(trained) | set(dropped) and len(trained) == 6
        assert set(dropped.values()) <= {"no signal"}
        assert all(position >= REFILL for position in trained if mine[position] in FLAT)
        planned |= mine
        rewards |= dict(ledger.mean_rewards(before=6))  # a batch may lend its rows to the one before it
        ledger.close()
    assert any(position >= REFILL for position in planned)
    second = [planned[position] for position in range(8, 12)]
    unknown = [name for name in second if name not in rewards]
    best = sorted(rewards, key=lambda name: -rewards[name])
    assert second == (unknown + best)[:4]
