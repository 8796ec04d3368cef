"""`heed bench probes`: the cost of a forward pass with the probe, and with eager attention that keeps its maps."""

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
"""SmolLM2-135M; the measurements do not depend on the weights."""
EAGER_ROUNDS = 2


def bench_probes(
    lengths: Sequence[int] = (512, 1024, 2048, 4096),
    *,
    rounds: int = 5,
    batch_size: int = 2,
    config: LlamaConfig = SMOLLM2_SHAPE,
) -> list[dict[str, Any]]:
    """Return a row per sequence length: time and memory of a pass over those of a plain one.

    Time ratios are medians over `rounds` that alternate the modes, beside them [lowest, highest]; eager, whose ratio is
    far from 1, runs in the first two only, and keeps the maps of five layers. Memory is the peak of what a pass adds to
    the weights. The set-up does not favour the probe: no gradients, no padding, and logits of the last token only.
    `None` where the maps would not fit into memory.
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler announces itself on stderr
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    model = AutoModelForCausalLM.from_config(config, dtype=dtype).to(device).eval()
    steps = track(lengths, "Sequence lengths", console=Console(stderr=True))
    return [_row(model, length, rounds, batch_size) for length in steps]


def _row(model: Any, length: int, rounds: int, batch_size: int) -> dict[str, Any]:
    ids = torch.randint(model.config.vocab_size, (batch_size, length), device=model.device)
    passes = {"off": _plain, "on": _recorded, "eager": _with_maps}
    if _bytes_of_maps(model, ids) > 0.5 * _free_memory(model.device):
        del passes["eager"]
    runs = {mode: partial(run, model, ids) for mode, run in passes.items()}
    peak = {mode: _peak_bytes(run) for mode, run in runs.items()}
    rounds_seconds = _measure(runs, rounds)
    row: dict[str, Any] = {"sequence_length": length}
    for mode in ("on", "eager"):
        ratios = [seconds[mode] / seconds["off"] for seconds in rounds_seconds if mode in seconds]
        row[f"time_ratio_{mode}_off"] = round(statistics.median(ratios), 4) if ratios else None
        row[f"time_ratio_{mode}_off_spread"] = [round(min(ratios), 4), round(max(ratios), 4)] if ratios else None
        row[f"memory_ratio_{mode}_off"] = round(peak[mode] / peak["off"], 4) if mode in peak else None
    return row


def _measure(runs: dict[str, Callable[[], None]], rounds: int) -> list[dict[str, float]]:
    """Return the seconds of each mode in each round; every second round in reverse, so that drift favours no mode."""
    measured = []
    for index in range(rounds):
        modes = [mode for mode in runs if mode != "eager" or index < EAGER_ROUNDS]
        measured.append({mode: seconds_of(runs[mode]) for mode in modes[:: (-1) ** index]})
    return measured


def _plain(model: Any, ids: Tensor) -> None:
    with torch.no_grad():
        model(ids, logits_to_keep=1, use_cache=False)


def _recorded(model: Any, ids: Tensor) -> None:
    with record_attention(model) as recorder:
        _plain(model, ids)
    recorder.read()


def _with_maps(model: Any, ids: Tensor) -> None:
    """Run eager attention and keep the maps of the same five layers, as other implementations do."""
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
    """Return the peak memory of the tensors of one pass; exact, so once is enough. It also warms the pass up."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        return torch.cuda.max_memory_allocated() - before
    with torch.profiler.profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profile:
        run()
    kineto: Any = profile.profiler and profile.profiler.kineto_results
    events = [event for event in kineto.events() if event.name() == "[memory]"]
    return max(accumulate(event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())))


def _bytes_of_maps(model: Any, ids: Tensor) -> int:
    """Return the size of the kept maps, and of about three more while one is computed."""
    num_maps = len(middle_layers(model.config.num_hidden_layers)) + 3
    return model.dtype.itemsize * num_maps * model.config.num_attention_heads * ids.shape[0] * ids.shape[1] ** 2


def _free_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.mem_get_info()[0]
    if sys.platform != "linux":
        return 0
    available = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    return 1024 * int(available.group(1)) if available else 0
