"""Trials: two seconds each of an all-reduce between processes and of a rollout, as a run does them."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from launch.doctor.check import Check

TIMEOUT_SECONDS = 120
"""Seconds for starting two processes and importing torch in each; the trial itself takes two."""

ALL_REDUCE = """
import sys, time, torch, torch.distributed as dist
rank, store = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
tensor, rounds, end = torch.ones(250_000), 0, time.monotonic() + 2.0
while True:
    tensor.fill_(rank + 1.0)
    dist.all_reduce(tensor)
    assert bool((tensor == 3.0).all()), "1 + 2 is not 3 on every element"
    rounds += 1
    in_time = torch.tensor([float(time.monotonic() < end)])
    dist.all_reduce(in_time, op=dist.ReduceOp.MIN)
    if not in_time:
        break
dist.destroy_process_group()
print(rounds)
"""


def try_all_reduce() -> Check:
    """Let two processes add up a megabyte of numbers, again and again for two seconds."""
    with tempfile.TemporaryDirectory() as scratch:
        store = str(Path(scratch, "store"))
        commands = [[sys.executable, "-c", ALL_REDUCE, str(rank), store] for rank in (0, 1)]
        ranks = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for command in commands
        ]
        try:
            outputs = [rank.communicate(timeout=TIMEOUT_SECONDS) for rank in ranks]
        except subprocess.TimeoutExpired:
            return _all_reduce_failed(f"no answer within {TIMEOUT_SECONDS} s")
        finally:
            for rank in ranks:
                rank.kill()
    for rank, (_, errors) in zip(ranks, outputs, strict=True):
        if rank.returncode != 0:
            return _all_reduce_failed((errors.strip().splitlines() or [f"exit code {rank.returncode}"])[-1])
    rate = int(outputs[0][0]) / 2.0
    return Check(name="all-reduce", level="pass", finding=f"{rate:.0f} a second of 1 MB, two processes")


def _all_reduce_failed(reason: str) -> Check:
    return Check(
        name="all-reduce",
        level="fail",
        finding=reason,
        fix="set GLOO_SOCKET_IFNAME (NCCL_SOCKET_IFNAME on GPUs) to the interface that joins the nodes",
    )


def try_rollout() -> Check:
    """Let the tiny model sample for two seconds, by the engine that a run uses."""
    from rl.models.load import load_model, load_tokenizer
    from rl.models.tokenization import encode_prompt
    from rl.rollouts.engine_hf import TransformersEngine
    from rl.rollouts.generation import GenerationConfig
    from rl.rollouts.types import RolloutRequest

    tokenizer = load_tokenizer("tiny")
    generation = GenerationConfig(temperature=1.0, max_completion_length=16)
    engine = TransformersEngine(load_model("tiny"), tokenizer, generation)
    prompts = (encode_prompt(tokenizer, "Say hello."),)
    started, tokens, position = time.monotonic(), 0, 0
    while time.monotonic() < started + 2.0:
        request = RolloutRequest(position=position, prompts=prompts, num_generations=8, version=0, seed=0)
        tokens += sum(len(sample.completion_ids) for sample in engine.sample(request))
        position += 1
    rate = tokens / (time.monotonic() - started)
    return Check(name="rollout", level="pass", finding=f"{rate:.0f} tokens a second of the tiny model")
