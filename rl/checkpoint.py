"""Checkpoints: only a folder whose last file was written counts, and a resume repeats the run bit for bit."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from rl.atomic import write_json

COMPLETE = "complete.json"
BUFFER_TENSORS = "generation_buffer.safetensors"


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint of a run folder, or None."""
    complete = [path.parent for path in folder.glob(f"checkpoint-*/{COMPLETE}")]
    return max(complete, key=checkpoint_step, default=None)


def checkpoint_step(checkpoint: Path) -> int:
    """The optimizer step that a `checkpoint-N` folder was written at."""
    return int(checkpoint.name.removeprefix("checkpoint-"))


def resume_point(run: Path) -> Path:
    """The checkpoint to resume `run` from. Raises ValueError when there is none."""
    checkpoint = newest_checkpoint(run)
    if checkpoint is None:
        found = sorted(path.name for path in run.glob("checkpoint-*")) if run.is_dir() else []
        state = f"it holds only unfinished ones: {', '.join(found)}" if found else "it holds none"
        raise ValueError(
            f"resume={run}: no complete checkpoint ({state}); start again without resume, in a folder of its own"
        )
    return checkpoint


def save_generation_buffer(checkpoint: Path, step: int, buffered: list[dict[str, Any]] | None) -> None:
    """Keep the micro-step and the sampled batches still to be trained, then mark the checkpoint complete.

    TRL alone forgets both, and a resume inside a generation buffer would sample other completions.
    """
    tensors = {
        # TRL's batches share memory (the token count), which safetensors refuses.
        f"{index}/{name}": value.cpu().clone(memory_format=torch.contiguous_format)
        for index, batch in enumerate(buffered or [])
        for name, value in batch.items()
        if isinstance(value, Tensor)
    }
    save_file(tensors, checkpoint / BUFFER_TENSORS)
    write_json(checkpoint / COMPLETE, {"micro_step": step, "num_buffered": len(buffered or [])})


def load_generation_buffer(checkpoint: Path, device: Any) -> tuple[int, list[dict[str, Tensor]] | None]:
    """The micro-step and the buffered batches that `save_generation_buffer` kept."""
    state = json.loads((checkpoint / COMPLETE).read_text())
    batches: list[dict[str, Tensor]] = [{} for _ in range(state["num_buffered"])]
    for key, tensor in load_file(checkpoint / BUFFER_TENSORS, device=str(device)).items():
        index, _, name = key.partition("/")
        batches[int(index)][name] = tensor
    return state["micro_step"], batches or None
