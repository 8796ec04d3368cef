"""What listening costs: one forward pass with the probe off, on, and with eager attention that keeps its maps."""

import os
import re
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor, nn
from torch.profiler import ProfilerActivity
from transformers import AutoModelForCausalLM, LlamaConfig

from attention_probes.plan import middle_layers
from attention_probes.record import record_attention
from launch.bench.stopwatch import seconds_of

SMOLLM2_SHAPE = LlamaConfig(
    vocab_size=49152,
    hidden_size=576,
    intermediate_size=1536,
    num_hidden_layers=30,
    num_attention_heads=9,
    num_key_value_heads=3,
    max_position_embeddings=8192,
    tie_word_embeddings=True,
)
"""SmolLM2-135M; what is measured does not depend on the weights."""
EAGER_ROUNDS = 2


def bench_probes(
    lengths: Sequence[int] = (512, 1024, 2048, 4096),
    *,
    rounds: int = 5,
    batch_size: int = 2,
    config: LlamaConfig = SMOLLM2_SHAPE,
) -> list[dict[str, Any]]:
    """One row per sequence length: how much more time and memory a pass takes; eager keeps the maps of five layers too.

    Time ratios are medians over `rounds` that alternate the modes, beside them [lowest, highest]; eager, whose ratio is
    far from 1, runs in the first two only. Memory is the peak of what a pass adds to the weights. Nothing flatters the
    probe: no gradients, no padding, and logits of the last token only. `None` where the maps would not fit into memory.
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler announces itself on stderr
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    model = AutoModelForCausalLM.from_config(config, dtype=dtype).to(device).eval()
    steps = track(lengths, "Sequence lengths", console=Console(stderr=True))
    return [_row(model, length, rounds, batch_size) for length in steps]


def _row(model: Any, length: int, rounds: int, batch_size: int) -> dict[str, Any]:
    ids = torch.randint(model.config.vocab_size, (batch_size, length), device=model.device)
    passes = {"off": _plain, "on": _listening, "eager": _with_maps}
    if _bytes_of_maps(model, ids) > 0.5 * _free_memory(model.device):
        del passes["eager"]
    runs = {mode: partial(run, model, ids) for mode, run in passes.items()}
    peak = {mode: _peak_bytes(run) for mode, run in runs.items()}
    # Forwards, then backwards: whatever drifts while the rounds go on favours no mode.
    modes = [[mode for mode in runs if mode != "eager" or number < EAGER_ROUNDS] for number in range(rounds)]
    orders = [order[:: (-1) ** number] for number, order in enumerate(modes)]
    seconds = [{mode: seconds_of(runs[mode]) for mode in order} for order in orders]
    row: dict[str, Any] = {"sequence_length": length}
    for mode in ("on", "eager"):
        ratios = [once[mode] / once["off"] for once in seconds if mode in once]
        row[f"time_ratio_{mode}_off"] = round(statistics.median(ratios), 4) if ratios else None
        row[f"time_ratio_{mode}_off_spread"] = [round(min(ratios), 4), round(max(ratios), 4)] if ratios else None
        row[f"memory_ratio_{mode}_off"] = round(peak[mode] / peak["off"], 4) if mode in peak else None
    return row


def _plain(model: Any, ids: Tensor) -> None:
    with torch.no_grad():
        model(ids, logits_to_keep=1, use_cache=False)


def _listening(model: Any, ids: Tensor) -> None:
    with record_attention(model) as recorder:
        _plain(model, ids)
    recorder.read()


def _with_maps(model: Any, ids: Tensor) -> None:
    """What other implementations do: eager attention, and the maps of the same five layers kept."""
    with _keeping_maps(model):
        _plain(model, ids)


@contextmanager
def _keeping_maps(model: Any) -> Iterator[list[Tensor]]:
    maps: list[Tensor] = []
    layers = [model.get_decoder().layers[index] for index in middle_layers(model.config.num_hidden_layers)]

    def keep(_module: nn.Module, _inputs: Any, outputs: tuple[Tensor, Tensor]) -> None:
        maps.append(outputs[1])

    handles = [layer.self_attn.register_forward_hook(keep) for layer in layers]
    implementation = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        yield maps
    finally:
        model.set_attn_implementation(implementation)
        for handle in handles:
            handle.remove()


def _peak_bytes(run: Callable[[], None]) -> int:
    """Most that all tensors made by one pass held at one time. Exact, so once is enough; it also warms the pass up."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        held = torch.cuda.memory_allocated()
        run()
        return torch.cuda.max_memory_allocated() - held
    with torch.profiler.profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profile:
        run()
    kineto: Any = profile.profiler and profile.profiler.kineto_results
    events = [event for event in kineto.events() if event.name() == "[memory]"]
    return max(accumulate(event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())))


def _bytes_of_maps(model: Any, ids: Tensor) -> int:
    """The kept maps, and about three more while one is being made."""
    num_maps = len(middle_layers(model.config.num_hidden_layers)) + 3
    return model.dtype.itemsize * num_maps * model.config.num_attention_heads * ids.shape[0] * ids.shape[1] ** 2


def _free_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.mem_get_info()[0]
    if sys.platform != "linux":
        return 0
    found = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    return 1024 * int(found.group(1)) if found else 0
