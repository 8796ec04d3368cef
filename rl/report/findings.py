"""Findings: what to know about a run before believing its curves, in one sentence each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rl.report.arm import Arm
from rl.report.curves import metric_series
from rl.report.run import RecordedRun
from rl.runs.resume import resume_command

Level = Literal["good", "note", "warn"]

TEXT_MEASURES = {
    "distinct_share": ("share of distinct words of the answers", "distinct_words"),
    "on_topic": ("topic score of the answers", "on_topic"),
    "not_echo": ("share of answers that are no echo of the prompt", "not_echo"),
}
"""Measure in `summary.json` -> what it is, and the guard that pays for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One sentence; `warn` is something to mend, `note` something to know."""

    level: Level
    text: str


def findings(run: RecordedRun) -> list[Finding]:
    """Return what a run's metrics and results say about it, warnings first."""
    return _by_level([*_state(run), *_gain(run), *_answers(run), *_training(run.metrics)])


def arm_findings(arm: Arm) -> list[Finding]:
    """Return the findings of all runs of an arm, each with its seed where there are several."""
    if len(arm.runs) == 1:
        return findings(arm.first)
    return _by_level(
        [
            Finding(level=finding.level, text=f"Seed {run.config.trainer.seed}: {finding.text}")
            for run in arm.runs
            for finding in findings(run)
        ]
    )


def _by_level(findings: list[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: ("warn", "note", "good").index(finding.level))


def _state(run: RecordedRun) -> Iterator[Finding]:
    planned = run.config.trainer.max_steps
    if run.summary is None:
        yield Finding(
            level="warn",
            text=f"Not finished: step {run.last_step} of {planned}. Continue it with: {resume_command(run.folder)}",
        )


def _gain(run: RecordedRun) -> Iterator[Finding]:
    gain = (run.summary or {}).get("gain")
    if gain is None:
        return
    interval = f"95 % interval [{gain['low']:+.3f}, {gain['high']:+.3f}] over {gain['num_problems']} problems"
    if gain["low"] > 0:
        yield Finding(level="good", text=f"The gain is more than chance: {interval}. It is the gain of one seed.")
    elif gain["high"] < 0:
        yield Finding(level="warn", text=f"The adapter is worse than its base model: {interval}.")
    else:
        yield Finding(level="note", text=f"The gain may be chance: {interval} includes zero.")


def _answers(run: RecordedRun) -> Iterator[Finding]:
    summary = run.summary or {}
    if "before" not in summary or "after" not in summary:
        return
    before, after = summary["before"], summary["after"]
    if after["mean_words"] < 0.75 * before["mean_words"]:
        yield Finding(
            level="warn",
            text=f"Answers shrank from {before['mean_words']:.1f} to {after['mean_words']:.1f} words: "
            "constraints may be satisfied by saying less. Raise rewards.min_words, or add guards.",
        )
    hacked, hacked_before = after.get("hacked"), before.get("hacked")
    if hacked is not None and hacked_before is not None:
        yield Finding(
            level="warn" if hacked > hacked_before + 0.1 else "note",
            text=f"Trip wires: {hacked:.0%} of the answers keep their rule by a shortcut, {hacked_before:.0%} before "
            "training. Read some answers before believing the gain.",
        )
    for name, (label, guard) in TEXT_MEASURES.items():
        if after[name] < before[name] - 0.1:
            yield Finding(
                level="warn",
                text=f"The {label} fell from {before[name]:.2f} to {after[name]:.2f}: the text may be collapsing. "
                f"Add {guard} to rewards.guards.",
            )


def _training(metrics: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    series = metric_series(metrics)
    if (equal := _late(series, "frac_reward_zero_std")) is not None and equal > 0.5:
        yield Finding(
            level="warn",
            text=f"In the last quarter {equal:.0%} of the groups had equal rewards and taught nothing. Raise "
            "trainer.num_generations or trainer.temperature, or choose problems that are less easy or less hard.",
        )
    if (cut := _late(series, "completions/clipped_ratio")) is not None and cut > 0.3:
        yield Finding(
            level="warn",
            text=f"In the last quarter {cut:.0%} of the completions were cut off. "
            "Raise trainer.max_completion_length, or ask for shorter answers.",
        )
    entropy = series.get("entropy", [])
    if len(entropy) >= 8 and (last := _late(series, "entropy") or 0.0) < 0.3 * (first := _early(entropy)):
        yield Finding(
            level="warn",
            text=f"The policy's entropy fell from {first:.2f} to {last:.2f}: it has stopped exploring. "
            "Lower trainer.learning_rate, or set trainer.beta.",
        )


def _early(points: Sequence[tuple[int, float]]) -> float:
    first = points[: max(1, len(points) // 4)]
    return sum(value for _, value in first) / len(first)


def _late(series: dict[str, list[tuple[int, float]]], name: str) -> float | None:
    """Return the mean of the last quarter of the logged values; None if the metric was never logged."""
    points = series.get(name, [])
    last = points[-max(1, len(points) // 4) :]
    return sum(value for _, value in last) / len(last) if last else None
