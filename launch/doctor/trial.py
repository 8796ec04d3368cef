"""Trials on the device that a run would use: an all-reduce between processes, a rollout, and a step of training."""

import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from launch.doctor.check import Check
from rl.common.device import process_device

TIMEOUT_SECONDS = 120
"""Seconds for starting a process for each GPU and importing torch in each; the trial itself takes two."""
TRAINING_SECONDS = 300
"""Seconds for a step of the tiny model, in which a GPU's kernels are compiled."""
TRAINING = ["model.dtype=auto", "trainer.max_steps=1", "data.held_out=0"]

ALL_REDUCE = """
import sys, time, torch, torch.distributed as dist
rank, ranks, backend, store = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
device = torch.device("cuda", rank) if backend == "nccl" else torch.device("cpu")
if backend == "nccl":
    torch.cuda.set_device(device)
dist.init_process_group(backend, init_method=f"file://{store}", rank=rank, world_size=ranks)
tensor, rounds, end = torch.ones(250_000, device=device), 0, time.monotonic() + 2.0
while True:
    tensor.fill_(rank + 1.0)
    dist.all_reduce(tensor)
    assert bool((tensor == ranks * (ranks + 1) / 2).all()), "the ranks' numbers add up to something else"
    rounds += 1
    in_time = torch.tensor([float(time.monotonic() < end)], device=device)
    dist.all_reduce(in_time, op=dist.ReduceOp.MIN)
    if not in_time:
        break
dist.destroy_process_group()
print(rounds)
"""


def all_reduce_ranks(num_gpus: int) -> tuple[str, int]:
    """Return the backend and the number of processes to try: NCCL between all GPUs, else gloo between two processes."""
    return ("nccl", num_gpus) if num_gpus > 1 else ("gloo", 2)


def try_all_reduce() -> Check:
    """Let processes, one for each of several GPUs, add up a megabyte of numbers again and again for two seconds."""
    backend, num_ranks = all_reduce_ranks(torch.cuda.device_count())
    with tempfile.TemporaryDirectory() as scratch:
        arguments = [str(num_ranks), backend, str(Path(scratch, "store"))]
        commands = [[sys.executable, "-c", ALL_REDUCE, str(rank), *arguments] for rank in range(num_ranks)]
        ranks = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for command in commands
        ]
        try:
            outputs = [rank.communicate(timeout=TIMEOUT_SECONDS) for rank in ranks]
        except subprocess.TimeoutExpired:
            return _all_reduce_failed(f"no answer within {TIMEOUT_SECONDS} s by {backend}")
        finally:
            for rank in ranks:
                rank.kill()
    for rank, (_, errors) in zip(ranks, outputs, strict=True):
        if rank.returncode != 0:
            return _all_reduce_failed(_last_line(errors) or f"exit code {rank.returncode}")
    rate = int(outputs[0][0]) / 2.0
    return Check(
        name="all-reduce", level="pass", finding=f"{rate:.0f} a second of 1 MB, {num_ranks} processes by {backend}"
    )


def _all_reduce_failed(reason: str) -> Check:
    return Check(
        name="all-reduce",
        level="fail",
        finding=reason,
        fix="set GLOO_SOCKET_IFNAME (NCCL_SOCKET_IFNAME on GPUs) to the interface that joins the nodes",
    )


def try_rollout() -> Check:
    """Let the tiny model sample for two seconds, by the engine that a run uses."""
    from rl.models.load import load_model, load_tokenizer, resolve_dtype
    from rl.models.tokenization import encode_prompt
    from rl.rollouts.engine_hf import TransformersEngine
    from rl.rollouts.generation import GenerationConfig
    from rl.rollouts.types import RolloutRequest

    tokenizer = load_tokenizer("tiny")
    generation = GenerationConfig(temperature=1.0, max_completion_length=16)
    engine = TransformersEngine(load_model("tiny", dtype=resolve_dtype("auto")), tokenizer, generation)
    prompts = (encode_prompt(tokenizer, "Say hello."),)
    started, tokens, position = time.monotonic(), 0, 0
    while time.monotonic() < started + 2.0:
        request = RolloutRequest(position=position, prompts=prompts, num_generations=8, version=0, seed=0)
        tokens += sum(len(sample.completion_ids) for sample in engine.sample(request))
        position += 1
    rate = tokens / (time.monotonic() - started)
    finding = f"{rate:.0f} tokens a second of the tiny model on {process_device().type}"
    return Check(name="rollout", level="pass", finding=finding)


def try_training() -> Check:
    """Let `heed train tiny` do one step, which compiles the loss's kernels on a GPU."""
    with tempfile.TemporaryDirectory() as scratch:
        run = Path(scratch, "run")
        command = [sys.executable, "-m", "launch.cli", "train", "tiny", *TRAINING, f"run.folder={run}"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TRAINING_SECONDS)
        except subprocess.TimeoutExpired:
            return _training_failed(f"no step within {TRAINING_SECONDS} s")
        if done.returncode != 0:
            return _training_failed(_last_line(done.stderr) or f"exit code {done.returncode}")
        lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return check_step(next(step for step in map(json.loads, lines) if "grad_norm" in step))


def check_step(metrics: dict[str, float]) -> Check:
    """Judge a step of training by its numbers."""
    loss, norm = metrics["loss"], metrics["grad_norm"]
    if not (math.isfinite(loss) and math.isfinite(norm)):
        return _training_failed(f"loss {loss}, gradient norm {norm}")
    return Check(name="training", level="pass", finding=f"one step of the tiny model on {process_device().type}")


def _training_failed(reason: str) -> Check:
    return Check(name="training", level="fail", finding=reason, fix="`heed train tiny` shows the whole error")


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]
