"""`heed probe sinks`: which heads a model does better with when they pay less to attention sinks (arXiv 2406.15765)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from rich.console import Console
from rich.progress import track
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from attention_probes.calibration import Calibration
from attention_probes.heads import Head, HeadRoles, sink_columns
from attention_probes.plan import ProbePlan
from attention_probes.record import record_attention
from attention_probes.sink_calibrator import calibrated
from data.dataset_summary import ANSWER_COLUMNS, answer_of
from data.needles import needle_test
from data.problems import Problem, from_row
from data.reading import read_problems
from launch.probe.sinks_chart import save_sinks_chart
from rl.common.errors import UserError
from rl.common.intervals import bootstrap_interval
from rl.models.load import load_model, load_tokenizer
from rl.models.tokenization import encode_problems, pad_left

# Axes: L layers, H heads, B texts of one forward pass, S tokens, T tokens of the longest answer, V vocabulary.

BATCH_SIZE = 4
NEEDLE_SENTENCES = 8
"""Of the text that a needle is hidden in."""
LEAST_TEXTS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class AnsweredText:
    """A prompt and its right answer, as token ids.

    Example:
        AnsweredText(prompt=(1, 52, 7), answer=(12, 2))
    """

    prompt: tuple[int, ...]
    answer: tuple[int, ...]


def choose_sink_heads(
    model: str,
    *,
    out: Path,
    data: Path | None = None,
    measure: str = "likelihood",
    num_texts: int = 24,
    num_checked: int = 24,
    settings: Calibration | None = None,
    roles: Path | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Choose the heads whose calibration alone improves the answers of half of the texts, and save them to `out`.

    The texts are those of `data`, or needle tests. One pass with gradients estimates the gain in likelihood of every
    head at once; the `num_checked` most promising are then calibrated one at a time, and kept where the mean gain in
    `measure`, likelihood or accuracy, is above its standard error. What they gain together is measured on the other
    half. `settings` has what is not the heads; the roles of the file `roles` are saved along.
    A PNG beside `out` shows the sinks of each layer. Raises UserError for too few texts and for an unknown measure.
    """
    if measure not in ("likelihood", "accuracy"):
        raise UserError(f"--measure {measure}: heads are chosen by likelihood or by accuracy")
    tokenizer, policy = load_tokenizer(model), load_model(model).requires_grad_(False)
    settings = settings or Calibration(heads=())
    texts = answered_texts(tokenizer, data, num_texts, seed)
    chosen_on, held_out = texts[::2], texts[1::2]
    before = scores(policy, held_out, measure)
    promising = estimated_gains(policy, chosen_on, settings)[:num_checked]
    gains = head_gains(policy, chosen_on, promising, settings, measure)
    kept = tuple(sorted(head for head, gain in gains.items() if gain.mean() > gain.std() / len(gain) ** 0.5))
    chosen = replace(settings, heads=kept)
    out.parent.mkdir(parents=True, exist_ok=True)
    chosen.save(out, None if roles is None else HeadRoles.load(roles))
    layers = sinks_by_layer(policy, held_out, settings.threshold)
    save_sinks_chart(layers, out.with_suffix(".png"), model=model)
    with calibrated(policy, chosen):
        interval = bootstrap_interval((scores(policy, held_out, measure) - before).tolist())
    return {
        "model": model,
        "measure": measure,
        "num_heads": len(kept),
        "heads": {f"{layer}.{head}": round(gains[layer, head].mean().item(), 5) for layer, head in kept},
        "num_checked": len(promising),
        "num_texts": len(texts),
        "held_out_before": round(before.mean().item(), 5),
        "held_out_gain": round(interval.mean, 5),
        "held_out_interval": [round(interval.low, 5), round(interval.high, 5)],
        "sinks_by_layer": layers,
    }


def head_gains(
    policy: PreTrainedModel, texts: Sequence[AnsweredText], heads: Sequence[Head], settings: Calibration, measure: str
) -> dict[Head, Float[Tensor, " texts"]]:
    """Return, for each head, what calibrating it alone adds to the score of each text."""
    before, gains = scores(policy, texts, measure), {}
    for head in track(heads, "heads", console=Console(stderr=True), transient=True):
        with calibrated(policy, replace(settings, heads=(head,))):
            gains[head] = scores(policy, texts, measure) - before
    return gains


def answered_texts(
    tokenizer: PreTrainedTokenizerBase,
    data: Path | None,
    count: int,
    seed: int,
    *,
    sentences: int = NEEDLE_SENTENCES,
) -> list[AnsweredText]:
    """Return prompts with right answers: of a file, or needle tests, whose answer's opening belongs to the prompt."""
    if data is None:
        tests = [needle_test(seed, index, num_sentences=sentences) for index in range(count)]
        pairs = [(from_row({"prompt": test.prompt}), test.opening, test.copied) for test in tests]
    else:
        problems = [problem for problem in read_problems(data) if _answer(problem)][:count]
        pairs = [(problem, "", _answer(problem) or "") for problem in problems]
    if len(pairs) < LEAST_TEXTS:
        raise UserError(
            f"{data}: {len(pairs)} prompts have an answer in {', '.join(ANSWER_COLUMNS)} or reference; "
            f"{LEAST_TEXTS} are needed, half to choose on and half to measure on"
        )
    prompts = encode_problems(tokenizer, [problem for problem, _, _ in pairs])
    return [
        AnsweredText(prompt=(*prompt, *_ids(tokenizer, opening)), answer=_ids(tokenizer, answer))
        for prompt, (_, opening, answer) in zip(prompts, pairs, strict=True)
    ]


def _answer(problem: Problem) -> str | None:
    return answer_of(problem) or problem.reference


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> tuple[int, ...]:
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])  # pyright: ignore[reportArgumentType]


@torch.no_grad()
def scores(policy: PreTrainedModel, texts: Sequence[AnsweredText], measure: str) -> Float[Tensor, " texts"]:
    """Return each answer's mean log-prob a token, or the share of its tokens that the model would have chosen."""
    values = []
    for start in range(0, len(texts), BATCH_SIZE):
        batch = texts[start : start + BATCH_SIZE]
        for logits_TV, text in zip(_answer_logits(policy, batch), batch, strict=True):
            answer = torch.tensor(text.answer, device=logits_TV.device)
            predicted = (logits_TV.argmax(dim=-1) == answer).float()
            logprobs = logits_TV.log_softmax(dim=-1).gather(1, answer[:, None])
            values.append((logprobs if measure == "likelihood" else predicted).mean())
    return torch.stack(values).cpu()


def _answer_logits(policy: PreTrainedModel, batch: Sequence[AnsweredText]) -> list[Float[Tensor, "T V"]]:
    """Return the logits that predict each text's answer."""
    inputs, longest = _padded(batch, policy.device), max(len(text.answer) for text in batch)
    logits_BTV = policy(**inputs, use_cache=False, logits_to_keep=longest + 1).logits.float()
    return [row[-1 - len(text.answer) : -1] for row, text in zip(logits_BTV, batch, strict=True)]


def _padded(batch: Sequence[AnsweredText], device: torch.device) -> dict[str, Tensor]:
    """Return the texts padded on the left, so that the answers end together."""
    inputs = pad_left([(*text.prompt, *text.answer) for text in batch], device)
    positions_BS = (inputs["attention_mask"].cumsum(dim=1) - 1).clamp(min=0)
    return {**inputs, "position_ids": positions_BS}


def estimated_gains(policy: PreTrainedModel, texts: Sequence[AnsweredText], settings: Calibration) -> list[Head]:
    """Return the heads whose calibration should raise the answers' log-prob, best first, to first order.

    The derivative of the log-prob by how far a head's output is moved to the calibrated one, at not at all, is what one
    pass gives for every head; where a head has no sink it is 0.
    """
    config = policy.config.get_text_config()
    heads = [(layer, head) for layer in range(config.num_hidden_layers) for head in range(config.num_attention_heads)]
    strengths = torch.zeros(config.num_hidden_layers, config.num_attention_heads, device=policy.device)
    strengths.requires_grad_()
    gain = torch.zeros_like(strengths)
    with calibrated(policy, replace(settings, heads=tuple(heads)), strengths=strengths):
        for text in texts:
            [logits_TV] = _answer_logits(policy, [text])
            answer = torch.tensor(text.answer, device=policy.device)
            logprob = logits_TV.log_softmax(dim=-1).gather(1, answer[:, None]).mean()
            gain += torch.autograd.grad(logprob, strengths)[0]
    return [
        head for value, head in sorted(zip(gain.flatten().tolist(), heads, strict=True), reverse=True) if value > 0.0
    ]


def sinks_by_layer(policy: PreTrainedModel, texts: Sequence[AnsweredText], threshold: float) -> list[dict[str, float]]:
    """Return, for each layer, how many sinks a head has on average: the first token, and others."""
    layers = tuple(range(policy.config.get_text_config().num_hidden_layers))
    first, others = torch.zeros(len(layers)), torch.zeros(len(layers))
    for text in texts:
        inputs = _padded([text], policy.device)
        with torch.no_grad(), record_attention(policy, ProbePlan(layers=layers, per_head=True)) as recorder:
            policy(**inputs, use_cache=False, logits_to_keep=1)
        readings = recorder.read().cpu()
        assert readings.heads is not None
        sinks_LHS = sink_columns(readings.heads.received, readings.real, threshold=threshold)[:, 0].float()
        first += sinks_LHS[..., 0].mean(dim=1) / len(texts)
        others += sinks_LHS[..., 1:].sum(dim=2).mean(dim=1) / len(texts)
    return [
        {"layer": layer, "first": round(one, 3), "others": round(more, 3)}
        for layer, one, more in zip(layers, first.tolist(), others.tolist(), strict=True)
    ]
