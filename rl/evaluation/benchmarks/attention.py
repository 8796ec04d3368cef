"""Constraint attention with and without thought: what the answer pays to each constraint (arXiv 2505.11423)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch

from attention_probes.constraint_attention import mean_over, prompt_spans
from attention_probes.record import ProbePlan, record_attention
from data.benchmarks.judging import Judge
from data.benchmarks.passages import passages
from data.problems import Problem, user_text
from rl.common.auc import auc_interval
from rl.common.intervals import bootstrap_interval
from rl.evaluation.asking import Asker, Reply
from rl.evaluation.strategies import StrategyAnswer, direct
from rl.models.tokenization import encode_prompt, tokens_overlapping
from rl.models.tokenization import prompt_spans as prompt_token_spans

# Axes: S tokens of prompt and completion; C constraints; N = C + 2 spans that are read. One text at a time.

UNITS = ("per_token", "relative")
"""The paper's unit, the mean attention of a constraint's tokens, and ours, which a longer context does not change: the
same over the mean of the prompt's other tokens."""


class AttentionReader:
    """Reads the attention of answers with a thought, and of direct answers to the same prompts, to each constraint."""

    def __init__(self, policy: Any, asker: Asker, judge: Judge):
        self.policy = policy
        self.asker = asker
        self.judge = judge

    def read(
        self, problems: Sequence[Problem], answers: Sequence[StrategyAnswer], position: int
    ) -> list[dict[str, Any]]:
        """Return one line's column `attention` for each problem, whose thoughtful answer is given."""
        without = direct(self.asker, problems, position)
        return [
            {"attention": self._compared(problem, thoughtful.reply, plain.reply)}
            for problem, thoughtful, plain in zip(problems, answers, without, strict=True)
        ]

    def _compared(self, problem: Problem, thoughtful: Reply, plain: Reply) -> list[dict[str, Any]]:
        """Return, for each constraint that a passage states, both readings, both verdicts and the lengths."""
        stated = [
            (index, spans) for index, spec in enumerate(problem.constraints) if (spans := passages(problem, spec))
        ]
        if not stated or not any(thoughtful.answer_mask) or not any(plain.answer_mask):
            return []
        spans = [one for _, one in stated]
        readings = [
            self._attention(reply, modes, user_text(problem), spans)
            for reply, modes in ((plain, self.asker.modes.direct), (thoughtful, self.asker.modes.thinking))
        ]
        verdicts = [self.judge(problem, reply.answer).constraints for reply in (plain, thoughtful)]
        return [
            {
                "kind": problem.constraints[index].id,
                "kept_directly": verdicts[0][index].strict,
                "kept_after_thought": verdicts[1][index].strict,
                **{
                    unit: {"direct": before[unit][column], "thinking": after[unit][column]}
                    for unit in UNITS
                    for before, after in [readings]
                },
                "answer_tokens": {"direct": sum(plain.answer_mask), "thinking": sum(thoughtful.answer_mask)},
                "thought_tokens": thoughtful.thought_tokens,
            }
            for column, (index, _) in enumerate(stated)
        ]

    def _attention(
        self, reply: Reply, tokenizer: Any, text: str, spans: Sequence[tuple[tuple[int, int], ...]]
    ) -> dict[str, list[float]]:
        """Return, by unit, the answer's mean attention to spans of the request `text`, over all layers and heads."""
        request = next(index for index, one in reversed(list(enumerate(reply.chat))) if one["content"].startswith(text))
        ids = reply.prompt_ids
        # A thought that the template has opened, and that was closed at once, is no part of the templated chat.
        places = prompt_token_spans(
            tokenizer, reply.chat, ids[: len(encode_prompt(tokenizer, reply.chat))], message=request
        )
        places += [(len(text), len(text))] * (len(ids) - len(places))
        padding = [False] * len(reply.completion_ids)
        stated_1CS = torch.tensor([[[*tokens_overlapping(places, one), *padding] for one in spans]])
        ids_1S = torch.tensor([[*reply.prompt_ids, *reply.completion_ids]])
        # The prompt up to the end of the request: a thought behind it is no prompt, whoever was asked for it.
        prompt_1S = torch.tensor([[*(start < len(text) for start, _ in places), *padding]])
        answer_1S = torch.tensor([[*[False] * len(reply.prompt_ids), *reply.answer_mask]])
        marked = prompt_spans(stated_1CS, prompt_1S).to(self.policy.device)
        plan = ProbePlan(layers=tuple(range(self.policy.config.get_text_config().num_hidden_layers)))
        with torch.no_grad(), record_attention(self.policy, plan, spans=marked) as recorder:
            self.policy(input_ids=ids_1S.to(self.policy.device), logits_to_keep=1, use_cache=False)
        mass = recorder.read().span_mass
        assert mass is not None, "spans were given"
        # Means before the ratio: single layers and tokens pay the other tokens next to nothing.
        paid_N = mean_over(mass[:, :, :1], answer_1S.to(mass.device))[:, 0, 0].nanmean(dim=0) / marked.sum(dim=2)[0]
        own, others = paid_N[:-2], paid_N[-1]
        return {"per_token": own.tolist(), "relative": (own / others).tolist()}


def attention_summary(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the mean drops, and how well they tell the constraints that thinking breaks from those it keeps.

    Only constraints count that the direct answer keeps. An area under the curve of 0.5 tells nothing; the lengths of
    answer and thought are the control. Intervals are 95 % bootstraps over prompts.
    """
    groups = [record["attention"] for record in records if record.get("attention")]
    found = [one for group in groups for one in group]
    kept = [[one for one in group if one["kept_directly"]] for group in groups]
    kept = [group for group in kept if group]
    hurt = sum(not one["kept_after_thought"] for group in kept for one in group)
    return {
        "constraints": len(found),
        "unlocated": sum(len(record["constraints"]) for record in records) - len(found),
        "kept_directly": sum(map(len, kept)),
        "hurt": hurt,
        "drop": {
            unit: asdict(bootstrap_interval([_drop(one, unit) for one in found])) if found else None for unit in UNITS
        },
        "auc": {name: _auc(kept, value) for name, value in PREDICTORS.items()},
        "kinds": _by_kind(found),
    }


def _by_kind(found: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return, by kind, how often either answer keeps the constraint, and the mean drop in both units."""
    kinds = sorted({one["kind"] for one in found})
    groups = {kind: [one for one in found if one["kind"] == kind] for kind in kinds}
    return {
        kind: {
            "of": len(group),
            "kept_directly": fmean(one["kept_directly"] for one in group),
            "kept_after_thought": fmean(one["kept_after_thought"] for one in group),
            **{f"drop_{unit}": fmean(_drop(one, unit) for one in group) for unit in UNITS},
        }
        for kind, group in groups.items()
    }


def plot_drops(records: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw the drops of the constraints that the direct answer keeps: those that thinking breaks, and the others."""
    from matplotlib.figure import Figure  # takes a second

    found = [one for record in records for one in record.get("attention", ()) if one["kept_directly"]]
    figure = Figure(figsize=(8, 3), layout="constrained")
    for axes, unit in zip(figure.subplots(1, 2), UNITS, strict=True):
        groups = [[_drop(one, unit) for one in found if one["kept_after_thought"] is kept] for kept in (True, False)]
        ends = np.quantile([value for group in groups for value in group] or [0.0], [0.02, 0.98])
        shown = [np.clip(group, *ends) for group in groups]  # a few far ones would leave the others one bin
        axes.hist(shown, bins=20, density=False, label=["kept after a thought", "broken after a thought"])
        axes.locator_params(axis="x", nbins=5)
        axes.axvline(0.0, color="black", linewidth=0.8)
        axes.set_xlabel(f"drop, {unit.replace('_', ' ')}")
        axes.set_ylabel("constraints")
    figure.axes[0].legend()
    figure.savefig(path)


def _drop(one: Mapping[str, Any], unit: str) -> float:
    return one[unit]["direct"] - one[unit]["thinking"]


PREDICTORS: dict[str, Callable[[Mapping[str, Any]], float]] = {
    "drop_per_token": lambda one: _drop(one, "per_token"),
    "drop_relative": lambda one: _drop(one, "relative"),
    "answer_tokens": lambda one: float(one["answer_tokens"]["thinking"]),
    "thought_tokens": lambda one: float(one["thought_tokens"]),
}
"""What may tell that thinking breaks a constraint; the last two are the controls."""


def _auc(
    groups: Sequence[Sequence[Mapping[str, Any]]], value: Callable[[Mapping[str, Any]], float]
) -> dict[str, float] | None:
    """Return the area under the curve with its interval; None unless thinking breaks some constraints, and not all."""
    cases = [(prompt, one) for prompt, group in enumerate(groups) for one in group]
    broken = [not one["kept_after_thought"] for _, one in cases]
    interval = auc_interval([value(one) for _, one in cases], broken, [prompt for prompt, _ in cases])
    return None if interval is None else asdict(interval)
