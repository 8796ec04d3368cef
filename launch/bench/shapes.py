"""`heed bench step`: a training step with shared prompts beside separate ones and plain TRL, by lengths."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from launch.bench.steps import Modes, bench_steps
from rl.common.errors import UserError
from rl.models.load import load_tokenizer
from rl.models.tokenization import encode_prompt

OPENING, FILLER = "Write a long story in which these words appear:", " sea"
RULE = "punctuation:no_comma"
MODES: Modes = {
    "plain TRL": None,
    "separate": {"trainer": {"shared_prompts": False}},
    "shared": {"trainer": {"shared_prompts": True}},
}


def bench_shapes(
    model: str, shapes: Sequence[tuple[int, int, int]], *, steps: int = 3, rounds: int = 2
) -> list[dict[str, Any]]:
    """Return a row per shape: medians of one group a step, and the ratios of shared to separate prompts and to TRL.

    A shape is the tokens of the prompt, the most tokens of a completion, and the completions of a prompt.

    The learner is a step without its sampling; its memory is the peak over what the process held before the step. One
    thread, float32 on a CPU; the modes alternate.
    """
    rows = []
    for shape in shapes:
        prompt, completion, generations = shape
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "prompts.jsonl"
            problem = {"prompt": prompt_of(model, prompt), "instruction_id_list": [RULE], "kwargs": [{}]}
            path.write_text(json.dumps(problem) + "\n", encoding="utf-8")
            modes = {name: settings and {**settings, "data": {"path": str(path)}} for name, settings in MODES.items()}
            measured = bench_steps(
                model, completions=generations, length=completion, steps=steps, rounds=rounds, modes=modes
            )
        rows.append(_row(shape, {row["mode"]: row for row in measured}))
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


def _row(shape: tuple[int, int, int], modes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    plain, separate, shared = (modes[name] for name in MODES)
    return {
        **dict(zip(("prompt_tokens", "completion_tokens", "num_generations"), shape, strict=True)),
        "learner_time_ratio": _ratio(shared, separate, "learner_seconds"),
        "learner_memory_ratio": _ratio(shared, separate, "learner_bytes"),
        "step_time_ratio_trl": _ratio(shared, plain, "step_seconds"),
        **{
            f"{name}_{column}": row[column]
            for name, row in (("trl", plain), ("separate", separate), ("shared", shared))
            for column in ("step_seconds", "step_seconds_spread", "learner_seconds", "learner_bytes")
        },
        "sampled_tokens": shared["sampled_tokens"],
    }


def _ratio(row: dict[str, Any], other: dict[str, Any], column: str) -> float | None:
    return None if row[column] is None or not other[column] else round(row[column] / other[column], 4)
