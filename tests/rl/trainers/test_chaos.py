"""Kills: whatever dies, and when, a run ends as an undisturbed one and every sample is accounted for (laws 6 and 7)."""

import random
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from launch.recipes import load_recipe
from rl.config.routing import RoutingConfig
from rl.rollouts.ledger import Ledger, LedgerTotals
from rl.rollouts.workers.ray_session import SESSION_FILE, session_processes
from rl.runs.jsonl import read_jsonl
from rl.runs.signals import UNFINISHED
from rl.train import train
from tests.rl.grpo_fixtures import EVEN_SHARE, Outcome, credit_trainer, outcome, tiny_config
from tests.rl.ray_fixture import one_ray
from tests.rl.trainers.chaos_driver import PHASES

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Ray leaves sockets to the garbage collector
]

ROOT = Path(__file__).parents[3]
DEADLINE = 600.0
STEPS = 6
# A checkpoint after each step, and two units a step, so that a kill can come between them.
CHANGES = [
    "data.held_out=0",
    f"trainer.max_steps={STEPS}",
    "trainer.save_steps=1",
    f"rewards.functions=[{EVEN_SHARE}]",
    "rollouts.groups_per_unit=1",
    "rollouts.cpus=0.1",
    "rollouts.object_store_mb=80",
]
KILLS = [("generating", 2), ("loss", 2), ("saving", 2), ("publishing", 2)]


def die(run: Path, phase: str, time: int) -> str:
    """Start or continue a run that kills itself at a phase; the name of the Ray session that it had."""
    new = [*CHANGES, "rollouts.workers=1", f"run.folder={run}"]
    recipe, overrides = (f"{run}/config.yaml", [f"resume={run}"]) if (run / "config.yaml").exists() else ("tiny", new)
    done = subprocess.run(
        [sys.executable, "-m", "tests.rl.trainers.chaos_driver", phase, str(time), recipe, *overrides],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, f"{phase} {time}: {done.returncode}\n{done.stderr[-3000:]}"
    return (run / SESSION_FILE).read_text().strip()


def adapter_bytes(run: Path) -> bytes:
    return (run / "adapters" / "default" / "adapter_model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    """The same run without workers and without a kill."""
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    train(load_recipe("tiny", [*CHANGES, f"run.folder={run}"]))
    return run


def survive(run: Path, kills: Sequence[tuple[str, int]], undisturbed: Path) -> None:
    """Kill a run again and again, continue it to its end, and compare."""
    sessions = [die(run, phase, time) for phase, time in kills]
    assert not (run / "adapters").exists()
    # whoever samples, the tokens are the same: the last part needs no worker
    train(load_recipe(f"{run}/config.yaml", [f"resume={run}", "rollouts.workers=0"]))
    assert adapter_bytes(run) == adapter_bytes(undisturbed)
    assert read_jsonl(run / "rollouts.jsonl") == read_jsonl(undisturbed / "rollouts.jsonl")
    # 6 steps of 8 completions, each trained once in the history that survived
    totals = Ledger(run / "ledger.sqlite", num_generations=4).totals()
    assert totals == LedgerTotals(dispatched=48, trained=48, dropped=0)
    leftovers = [process for session in sessions for process in session_processes(session)]
    assert leftovers == []


def test_run__killed_at_four_phases_ends_as_an_undisturbed_one(undisturbed, tmp_path):
    survive(tmp_path / "run", KILLS, undisturbed)


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("round_", range(5))
def test_run__killed_at_random_points_ends_as_an_undisturbed_one(round_, undisturbed, tmp_path):
    seed = random.SystemRandom().randrange(2**32)  # a training in this process seeds the other
    print(f"seed {seed}")
    draw = random.Random(seed)
    # a kill at a phase's first time repeats a step, one at its second makes a step's progress: four fit into 6 steps
    kills = [(draw.choice(sorted(PHASES)), draw.choice([1, 2])) for _ in range(4)]
    first_phase, _ = kills[0]
    kills[0] = (first_phase, 2)  # there must be a checkpoint to continue from
    survive(tmp_path / "run", kills, undisturbed)


# ------------------------------------------------------------------------------------------------------- worker kills


@pytest.fixture(scope="module")
def ray_is_here() -> Iterator[None]:
    with one_ray():
        yield


def small_config(workers: int) -> Any:
    rollouts = {"workers": workers, "groups_per_unit": 1, "cpus": 0.1, "object_store_mb": 80, "tries": 9}
    return tiny_config(rollouts=rollouts, trainer={"max_steps": STEPS})


def trained(config: Any, folder: Path, kills: dict[int, int] | None = None) -> tuple[Outcome, Any]:
    """Train; at each step in `kills`, SIGKILL that worker when its units have just been handed out."""
    import ray

    trainer = credit_trainer(config, folder)
    sampler = trainer.rollouts.sampler
    if kills:
        submit = sampler.submit

        def submit_and_kill(units: Sequence) -> None:
            submit(units)
            if (victim := kills.get(units[0].version)) is not None:
                ray.kill(sampler.dispatcher._slots[victim].worker)

        trainer.rollouts.sampler = _With(sampler, submit_and_kill)
    try:
        trainer.train()
    finally:
        trainer.rollouts.close()
    return outcome(trainer), trainer


class _With:
    """A sampler with another `submit`."""

    def __init__(self, sampler: Any, submit: Any):
        self._sampler, self.submit = sampler, submit

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sampler, name)


def test_dead_workers__six_change_no_bit(ray_is_here, tmp_path):
    expected, _ = trained(small_config(0), tmp_path / "undisturbed")
    kills = dict.fromkeys(range(STEPS), 0)
    disturbed, trainer = trained(small_config(1), tmp_path / "disturbed", kills)
    assert disturbed == expected
    lines = [line for line in trainer.state.log_history if "loss" in line]
    assert sum(line["sync/restarted_workers"] for line in lines) == 6
    assert trainer.rollouts.ledger.totals() == LedgerTotals(dispatched=48, trained=48, dropped=0)


@pytest.mark.slow
def test_dead_workers__one_changes_no_bit_under_routing(ray_is_here, tmp_path):
    routing = RoutingConfig(adapters=("left", "right"), router="attention", learn="policy", top=None)
    expected, _ = trained(small_config(0).model_copy(update={"routing": routing}), tmp_path / "undisturbed")
    disturbed, trainer = trained(small_config(1).model_copy(update={"routing": routing}), tmp_path / "killed", {2: 0})
    assert disturbed == expected
    assert sum(line.get("sync/restarted_workers", 0) for line in trainer.state.log_history) == 1


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("round_", range(4))
def test_dead_workers__at_random_change_no_bit(round_, ray_is_here, tmp_path):
    seed = random.SystemRandom().randrange(2**32)  # a training in this process seeds the other
    print(f"seed {seed}")
    draw = random.Random(seed)
    expected, _ = trained(small_config(0), tmp_path / "undisturbed")
    kills = {step: draw.randrange(2) for step in draw.sample(range(STEPS), 5)}
    disturbed, _ = trained(small_config(2), tmp_path / "disturbed", kills)
    assert disturbed == expected


# -------------------------------------------------------------------------------------------------------- preemption


def test_sigterm__saves_within_its_deadline_and_the_run_resumes(undisturbed, tmp_path):
    run = tmp_path / "run"
    command = [sys.executable, "-c", "from launch.cli.main import main; main()", "train", "tiny", *CHANGES]
    process = subprocess.Popen(
        [*command, f"run.folder={run}"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    wait_for(run, process)
    process.send_signal(signal.SIGTERM)
    printed, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == UNFINISHED, printed[-3000:]
    assert "Continue with: heed resume" in " ".join(printed.split())
    assert not (run / "adapters").exists()
    train(load_recipe(f"{run}/config.yaml", [f"resume={run}"]))
    assert adapter_bytes(run) == adapter_bytes(undisturbed)


def wait_for(run: Path, process: subprocess.Popen) -> None:
    """Until the first checkpoint is there; the run must still go on then."""
    tries = iter(range(int(DEADLINE / 0.02)))
    while not list(run.glob("checkpoint-*/complete.json")):
        next(tries)
        try:
            process.wait(timeout=0.02)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"the run ended with {process.returncode} before its first checkpoint")
