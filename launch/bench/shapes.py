"""`heed bench step`: a training step with shared prompts beside separate ones and plain TRL, by lengths."""

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from launch.bench.arithmetic import fewest_operations, multiply_rate
from launch.bench.phases import PHASES
from launch.bench.steps import Modes, bench_steps
from rl.common.errors import UserError
from rl.common.threads import torch_threads
from rl.models.load import load_model, load_tokenizer
from rl.models.tokenization import encode_prompt

OPENING, FILLER = "Write a long story in which these words appear:", " sea"
RULE = "punctuation:no_comma"
COLUMNS = (
    "computed_seconds",
    "learner_seconds",
    "learner_seconds_spread",
    "learner_bytes",
    "seconds_by_phase",
    "bytes_by_phase",
)
BARS = ("trl", "separate", "shared")
Limit = Callable[[tuple[int, int, int], float], float]
MODES: Modes = {
    "plain TRL": None,
    "separate": {"trainer": {"shared_prompts": False}},
    "shared": {"trainer": {"shared_prompts": True}},
}


def bench_shapes(
    model: str, shapes: Sequence[tuple[int, int, int]], *, steps: int = 3, rounds: int = 2, checkpointing: bool = False
) -> list[dict[str, Any]]:
    """Return a row per shape: medians of one group a step, and the ratios of shared to separate prompts and to TRL.

    A shape is the tokens of the prompt, the most tokens of a completion, and the completions of a prompt.

    The learner is a step without its sampling; its memory is the peak over what the process held before the step, and
    its limit the time of its matrix products, each token read once, at the rate measured here. Seconds are those of
    this process's CPU time, on CUDA of the clock on the wall. One thread, float32; the modes alternate. With
    `checkpointing` every mode computes its layers again in the backward pass: separate long prompts need more than 20
    GB otherwise.
    """
    rows, limit = [], _limit(model)
    for shape in shapes:
        prompt, completion, generations = shape
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "prompts.jsonl"
            problem = {"prompt": prompt_of(model, prompt), "instruction_id_list": [RULE], "kwargs": [{}]}
            path.write_text(json.dumps(problem) + "\n", encoding="utf-8")
            measured = bench_steps(
                model,
                completions=generations,
                length=completion,
                steps=steps,
                rounds=rounds,
                modes=MODES,
                data={"path": str(path)},
                checkpointing=checkpointing,
            )
        rows.append(_row(shape, {row["mode"]: row for row in measured}, limit))
    return rows


def prompt_of(model: str, tokens: int) -> list[dict[str, str]]:
    """Return a chat of one message that is encoded to so many tokens, or to a few less where words take several.

    Raises UserError where no message is so short.
    """
    tokenizer = load_tokenizer(model)

    def chat(words: int) -> list[dict[str, str]]:
        return [{"role": "user", "content": OPENING + FILLER * words}]

    fewest, with_one = (len(encode_prompt(tokenizer, chat(words))) for words in (0, 1))
    if tokens < fewest:
        raise UserError(f"a prompt has at least {fewest} tokens with this model's template, got {tokens}")
    return chat((tokens - fewest) // (with_one - fewest))


def _row(shape: tuple[int, int, int], modes: dict[str, dict[str, Any]], limit: Limit) -> dict[str, Any]:
    plain, separate, shared = (modes[name] for name in MODES)
    sizes = dict(zip(("prompt_tokens", "completion_tokens", "num_generations"), shape, strict=True))
    return {
        **sizes,
        "learner_time_ratio": _ratio(shared, separate, "learner_seconds"),
        "learner_memory_ratio": _ratio(shared, separate, "learner_bytes"),
        "step_time_ratio_trl": _ratio(shared, plain, "computed_seconds"),
        "learner_limit_seconds": round(limit(shape, shared["sampled_tokens"]), 4),
        **{
            f"{name}_{column}": row[column]
            for name, row in (("trl", plain), ("separate", separate), ("shared", shared))
            for column in COLUMNS
        },
        "sampled_tokens": shared["sampled_tokens"],
    }


def _ratio(row: dict[str, Any], other: dict[str, Any], column: str) -> float | None:
    return round(row[column] / other[column], 4) if other[column] else None


def _limit(model: str) -> Limit:
    """Return the function from a shape and the mean of its lengths to the fewest seconds of a learner's step."""
    loaded = load_model(model, dtype=torch.float32)
    with torch_threads(1):
        rate = multiply_rate(torch.float32, loaded.device)

    def seconds(shape: tuple[int, int, int], length: float) -> float:
        return fewest_operations(loaded, prompt=shape[0], completions=shape[2], length=length) / rate

    return seconds


def write_chart(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw the seconds of each phase as bars, for each shape those of plain TRL, separate and shared prompts."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2 * len(rows), 4.2), layout="constrained")
    for axes, row in zip(figure.subplots(1, len(rows), squeeze=False)[0], rows, strict=True):
        bottom = [0.0] * len(BARS)
        for phase in PHASES:
            heights = [row[f"{bar}_seconds_by_phase"][phase] for bar in BARS]
            axes.bar(BARS, heights, bottom=bottom, label=phase)
            bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
        axes.axhline(
            row["learner_limit_seconds"], color="gray", linestyle="--", label="arithmetic limit of the learner"
        )
        axes.set(
            title="{prompt_tokens} + {num_generations} x {completion_tokens} tokens".format(**row), ylabel="s a step"
        )
    figure.axes[0].legend(fontsize=8)
    figure.savefig(path)
