"""Stage: ZeRO-2 and ZeRO-3 in bfloat16 with a worker beside the rank, on matrices that DeepSpeed really shards."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import torch
from transformers import LlamaConfig

from launch.bench.gpu.models import random_model
from launch.bench.gpu.stage import Row, Setup, Skipped
from launch.bench.gpu.trainings import EVEN_SHARE, adapter_of, heed, steps_of
from rl.models.load import load_tokenizer
from rl.models.tiny_shape import TINY_SHAPE

STAGES = (2, 3)
WIDTH = RANK = 512
"""Every matrix has more than the 100,000 numbers below which DeepSpeed leaves it whole."""
TRAINING = [
    "data.num_problems=8",
    "data.held_out=0",
    "trainer.max_steps=2",
    "trainer.beta=0",
    "rollouts.workers=1",
    "rollouts.cpus=0.1",
    "model.dtype=bfloat16",
    f"lora.r={RANK}",
    f"lora.alpha={RANK}",
    f"rewards.functions=[{EVEN_SHARE}]",
]


def measure(setup: Setup) -> Iterator[Row]:
    """Yield what each ZeRO stage logged of a training by one rank."""
    if importlib.util.find_spec("deepspeed") is None:
        raise Skipped("DeepSpeed is not installed")
    if setup.on_gpu and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise Skipped("this GPU multiplies no bfloat16")
    model = wide_model(setup)
    for stage in STAGES:
        yield {"zero": stage} | zero_row(stage, model, setup.folder / f"zero-{stage}")


def wide_model(setup: Setup) -> Path:
    """Write a random model with `tiny`'s tokens and wide matrices; return its folder."""
    folder = setup.folder / "wide"
    random_model(LlamaConfig(**{**TINY_SHAPE, "hidden_size": WIDTH}), "cpu", torch.float32).save_pretrained(folder)
    load_tokenizer("tiny").save_pretrained(folder)
    return folder


def zero_row(stage: int, model: Path, run: Path) -> Row:
    """Train; the worker checks at each step that it samples with what was published."""
    settings = [f"run.folder={run}", f"model.name={model}", f"distributed.zero={stage}"]
    heed("train", "tiny", *TRAINING, *settings)
    steps, adapter = steps_of(run), adapter_of(run)
    row: Row = {
        "steps": len(steps),
        "loss": steps[-1]["loss"],
        "grad_norm": steps[-1]["grad_norm"],
        "probe_gap": steps[-1]["sync/probe_gap"],
        "published_bytes": steps[-1]["sync/bytes"],
    }
    if not all(tensor.isfinite().all() for tensor in adapter.values()):
        row["finding"] = f"ZeRO-{stage}: the adapter is not finite"
    elif row["published_bytes"] < 4 * sum(tensor.numel() for tensor in adapter.values()):
        row["finding"] = f"ZeRO-{stage} published {row['published_bytes']:.0f} bytes, less than the adapter has"
    return row
