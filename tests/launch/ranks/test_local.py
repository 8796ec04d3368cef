"""Local ranks: real processes that train together, and how they end when one fails."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file

from launch.ranks.local import must_start_ranks, start_ranks
from launch.recipes import load_recipe
from rl.config.distributed import DistributedConfig
from rl.config.load import resolved_yaml
from rl.runs.signals import UNFINISHED
from rl.train import train
from tests.launch.multi_rank import (
    COMMON,
    DEADLINE,
    HEED_TRAIN,
    STEPS,
    TWO_RANKS,
    assert_equal_trainings,
    heed,
    run_together,
)
from tests.rl.dpo_fixtures import tiny_dpo_config, write_pairs
from tests.rl.grpo_fixtures import CTRL_C_IN_STEP, HOLD_STEP_3


def script(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def test_start_ranks__each_rank_has_its_number_and_the_address(tmp_path):
    path = f"pathlib.Path(r'{tmp_path}', os.environ['RANK'])"
    program = f"import os, pathlib; {path}.write_text(os.environ['WORLD_SIZE'] + os.environ['MASTER_ADDR'])"
    assert start_ranks(script(program), 2) == 0
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"0": "2127.0.0.1", "1": "2127.0.0.1"}


def test_start_ranks__a_rank_that_dies_ends_the_others_and_is_named(capfd):
    text = (
        "import os, signal, time\n"
        "os.kill(os.getpid(), signal.SIGKILL) if os.environ['RANK'] == '1' else time.sleep(600)"
    )
    assert start_ranks(script(text), 3, timeout=0.5) == 137  # 128 + 9, as a shell reports it
    assert "rank 1 was killed by signal 9; ending rank 0, 2" in capfd.readouterr().err


def wait_for(happened: Callable[[], bool]) -> None:
    give_up = time.monotonic() + DEADLINE
    while not happened():
        assert time.monotonic() < give_up
        time.sleep(0.02)


RANK = """
import os, signal
from pathlib import Path
here = Path({folder!r})
received = []
def write():
    (here / f"{{os.environ['RANK']}}-{{len(received)}}").touch()
def terminate(number, frame):
    received.append(number)
    write()
def leave(number, frame):
    (here / os.environ["RANK"]).write_text(str(len(received)))
    os._exit(0)
signal.alarm(240)  # ends it when the test fails
signal.signal(signal.SIGTERM, terminate)
signal.signal(signal.SIGHUP, leave)
write()
while True:
    signal.pause()
"""


def test_start_ranks__each_rank_receives_a_signal_to_the_group_once(tmp_path):
    rank = script(RANK.format(folder=str(tmp_path)))
    start = f"import sys; from launch.ranks.local import start_ranks; sys.exit(start_ranks({rank!r}, 2))"
    with subprocess.Popen(script(start), start_new_session=True) as parent:
        wait_for(lambda: all((tmp_path / f"{rank}-0").exists() for rank in range(2)))
        os.killpg(parent.pid, signal.SIGTERM)
        wait_for(lambda: all((tmp_path / f"{rank}-1").exists() for rank in range(2)))
        parent.send_signal(signal.SIGHUP)  # passed on after whatever came before it
        assert parent.wait(DEADLINE) == 0
    assert [(tmp_path / str(rank)).read_text() for rank in range(2)] == ["1", "1"]


def test_start_ranks__a_rank_that_has_saved_does_not_end_the_others(tmp_path):
    # rank 0 is not done before the end of rank 1 has been noticed
    text = (
        "import os, sys, time\n"
        "from pathlib import Path\n"
        f"other, done = Path(r'{tmp_path}/other'), Path(r'{tmp_path}/done')\n"
        "if os.environ['RANK'] == '1':\n"
        "    os.symlink(f'/proc/{os.getpid()}/cmdline', other)\n"
        "else:\n"
        "    while not other.is_symlink() or other.exists():\n"
        "        time.sleep(0.01)\n"
        "    done.touch()\n"
        "sys.exit(75)"
    )
    assert start_ranks(script(text), 2, timeout=0.0) == 75
    assert (tmp_path / "done").exists()


@pytest.mark.slow
def test_sigterm_to_the_group_of_two_ranks_saves(tmp_path):
    run, go = tmp_path / "run", tmp_path / "go"
    command = [*HEED_TRAIN, "tiny", f"run.folder={run}", *TWO_RANKS, "trainer.save_steps=1"]
    environment = {**os.environ, HOLD_STEP_3: str(go)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as parent:
        wait_for((run / "checkpoint-2" / "complete.json").exists)
        os.killpg(parent.pid, signal.SIGTERM)
        assert parent.stdout is not None
        for _ in range(2):  # ranks
            next(line for line in parent.stdout if line.startswith("Finishing this step"))
        go.touch()
        printed, _ = parent.communicate(timeout=DEADLINE)
    assert parent.returncode == UNFINISHED, printed
    assert (run / "checkpoint-3" / "complete.json").exists()


def test_shutdown_main_last__the_other_ranks_shut_down_before_it(tmp_path):
    # others find Ray where the first has started it: a rank that was still there when it ended died, with code 1
    text = (
        "import os, time\n"
        "from pathlib import Path\n"
        "from rl.config.distributed import DistributedConfig\n"
        "from rl.common.distributed import init_distributed, is_main_process, shutdown_main_last\n"
        "def leave():\n"
        "    is_main_process() or time.sleep(0.5)\n"  # only a first rank that does not wait would notice
        f"    Path(r'{tmp_path}/left').open('a').write(os.environ['RANK'])\n"
        "init_distributed(DistributedConfig(processes=3))\n"
        "shutdown_main_last(leave)\n"
    )
    assert start_ranks(script(text), 3) == 0
    left = (tmp_path / "left").read_text()
    assert sorted(left) == ["0", "1", "2"] and left[-1] == "0"


def test_init_distributed__ranks_leave_their_group_before_they_end(tmp_path):
    # gloo's threads, when they are still there, abort about one process in six that had nothing else left to do
    text = (
        "import atexit, os, torch\n"
        "from pathlib import Path\n"
        "from rl.config.distributed import DistributedConfig\n"
        "from rl.common.distributed import init_distributed, map_over_ranks\n"
        f"write = lambda: Path(r'{tmp_path}', os.environ['RANK']).write_text(str(torch.distributed.is_initialized()))\n"
        "atexit.register(write)\n"  # functions registered first are called last
        "init_distributed(DistributedConfig(processes=2))\n"
        "map_over_ranks(str, range(2))\n"
    )
    assert start_ranks(script(text), 2) == 0
    assert [(tmp_path / rank).read_text() for rank in ("0", "1")] == ["False"] * 2


def test_map_over_ranks__every_rank_has_all_values_and_computed_its_share(tmp_path):
    text = (
        "import os\n"
        "from pathlib import Path\n"
        "from rl.config.distributed import DistributedConfig\n"
        "from rl.common.distributed import init_distributed, map_over_ranks\n"
        "init_distributed(DistributedConfig(processes=2))\n"
        "values = map_over_ranks(lambda number: f'{number}{os.environ[\"RANK\"]}', range(5))\n"
        f"Path(r'{tmp_path}', os.environ['RANK']).write_text(' '.join(values))\n"
    )
    assert start_ranks(script(text), 2) == 0
    # number and rank: the ranks take turns
    assert [(tmp_path / rank).read_text() for rank in ("0", "1")] == ["00 11 20 31 40"] * 2


def test_must_start_ranks__unless_a_launcher_has(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert not must_start_ranks(DistributedConfig())
    assert must_start_ranks(DistributedConfig(processes=2))
    assert must_start_ranks(DistributedConfig(zero=2))
    assert must_start_ranks(DistributedConfig(launcher="ray"))
    assert must_start_ranks(DistributedConfig(processes=16, nodes=2))
    monkeypatch.setenv("WORLD_SIZE", "16")
    assert not must_start_ranks(DistributedConfig(processes=16, nodes=2))


def test_two_ranks_on_one_pool_train_what_one_process_trains(alone, tmp_path):
    run_together(tmp_path / "run", "rollouts.workers=2", "rollouts.cpus=0.1", "rollouts.object_store_mb=80")
    assert_equal_trainings(tmp_path / "run", alone)
    # 4 steps of one group a rank; every group has one position, and each sample is trained
    positions = []
    for name in ("ledger.sqlite", "ledger-1.sqlite"):
        rows = sqlite3.connect(tmp_path / "run" / name).execute("SELECT position, dispatched, trained FROM groups")
        for position, dispatched, trained in rows:
            assert dispatched == trained == 4
            positions.append(position)
    assert sorted(positions) == list(range(2 * STEPS))


@pytest.mark.slow
@pytest.mark.parametrize(("zero", "offload"), [(1, False), (2, False), (3, False), (3, True)])
def test_zero_trains_what_one_process_trains(zero, offload, alone, tmp_path):
    run_together(tmp_path / "run", f"distributed.zero={zero}", f"distributed.offload={str(offload).lower()}")
    assert_equal_trainings(tmp_path / "run", alone)


@pytest.mark.slow
def test_two_ranks_stop_at_the_same_step_and_resume(alone, tmp_path):
    run = tmp_path / "run"
    run_together(run, code=UNFINISHED, environment={CTRL_C_IN_STEP: "2"})
    assert (run / "checkpoint-2" / "complete.json").is_file() and not (run / "adapters").exists()
    heed(f"{run}/config.yaml", f"resume={run}")
    assert_equal_trainings(run, alone)


@pytest.mark.slow
def test_routed_ranks_train_what_one_process_trains(tmp_path):
    routing = ["routing.adapters=[left,right]", "routing.router=kmeans", "routing.fit_steps=20"]
    whole = [f"run.folder={tmp_path / 'alone'}", *COMMON, *routing, "trainer.per_device_train_batch_size=8"]
    train(load_recipe("tiny", whole))
    run_together(tmp_path / "run", *routing)
    assert_equal_bundles(tmp_path / "run", tmp_path / "alone")


@pytest.mark.slow
def test_routed_dpo_ranks_train_what_one_process_trains(tmp_path):
    pairs = write_pairs(tmp_path)
    routing = {"adapters": ["left", "right"], "router": "kmeans", "fit_steps": 20}
    # six pairs, two a step
    steps = {"gradient_accumulation_steps": 1, "per_device_train_batch_size": 2}
    train(tiny_dpo_config(pairs, routing=routing, trainer=steps, run={"folder": str(tmp_path / "alone")}))
    each = {**steps, "per_device_train_batch_size": 1}
    shared = tiny_dpo_config(
        pairs, routing=routing, trainer=each, distributed={"processes": 2}, run={"folder": str(tmp_path / "run")}
    )
    (tmp_path / "shared.yaml").write_text(resolved_yaml(shared))
    heed(str(tmp_path / "shared.yaml"))
    assert_equal_bundles(tmp_path / "run", tmp_path / "alone")


def assert_equal_bundles(run: Path, alone: Path) -> None:
    for name in ("left", "right"):
        ours, theirs = (
            load_file(one / "bundle" / "adapters" / name / "adapter_model.safetensors") for one in (run, alone)
        )
        assert any(tensor.any() for key, tensor in ours.items() if "lora_B" in key), f"{name} answered nothing"
        assert max((ours[key] - theirs[key]).abs().max().item() for key in ours) < 1e-4


def test_ranks__stop_together_when_the_training_diverges(tmp_path):
    diverging = [*TWO_RANKS, "trainer.learning_rate=1e30", "trainer.save_steps=1"]
    printed = heed("tiny", f"run.folder={tmp_path / 'run'}", *diverging, code=1)
    assert "the gradient norm is nan" in printed and "rank 1: step" in printed
    saved = sorted((tmp_path / "run").glob("checkpoint-*/adapter_model.safetensors"))
    assert saved and all(tensor.isfinite().all() for path in saved for tensor in load_file(path).values())
    assert not (tmp_path / "run" / "adapters").exists()
