"""Console output of a run: the gain, answers side by side, and one completion coloured by credit."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text
from transformers import PreTrainedTokenizerBase

from rl.credit.colors import on_white, scale_reach
from rl.evaluation.evaluate import Evaluation, Gain
from rl.models.tokenization import completion_spans, decode


def show_gain(console: Console, before: Evaluation, after: Evaluation, gain: Gain | None) -> None:
    """Print pass rates before and after training, overall and by kind, and the length and variety of the answers."""
    table = Table(title="Held-out constraints satisfied", title_justify="left")
    for column in ("", "before", "after", "of", "share of the gain"):
        table.add_column(column, justify="left" if not column else "right")
    first, last = before.summary(), after.summary()
    table.add_row(
        "all (mean over problems)",
        *(rate_text(one["pass_rate"]) for one in (first, last)),
        str(gain.num_problems if gain else 0),
        "",
    )
    table.add_row("every constraint at once", *(rate_text(one["all_satisfied"]) for one in (first, last)), "", "")
    counts_before, counts_after = before.kind_rates(), after.kind_rates()
    gained = sum(count for count, _ in counts_after.values()) - sum(count for count, _ in counts_before.values())
    for kind, (count, of) in counts_after.items():
        # A constraint may apply to the answers of one policy only; then the other has no rate.
        count_before, of_before = counts_before.get(kind, (0, 0))
        share = f"{(count - count_before) / gained:+.0%}" if gained else ""
        rate_before = f"{count_before / of_before:.2f}" if of_before else "-"
        table.add_row(f"  {kind}", rate_before, f"{count / of:.2f}", str(of), share)
    for name, label in (
        ("mean_words", "words per answer"),
        ("distinct_share", "distinct words"),
        ("on_topic", "on topic"),
        ("not_echo", "no echo of the prompt"),
    ):
        table.add_row(label, f"{first[name]:.2f}", f"{last[name]:.2f}", "", "")
    if "hacked" in last:
        table.add_row("hacked trip wires", rate_text(first.get("hacked")), rate_text(last["hacked"]), "", "")
    for name, mean in last["rewards"].items():
        mean_before = first["rewards"].get(name)
        table.add_row(f"reward {name}", "-" if mean_before is None else f"{mean_before:.3f}", f"{mean:.3f}", "", "")
    console.print(table)
    if gain is None:
        console.print("no gain to measure: no constraint applied to the answers of both")
        return
    verdict = "the interval excludes zero" if gain.low > 0 or gain.high < 0 else "the interval includes zero"
    console.print(f"gain {gain.mean:+.3f}, 95 % interval [{gain.low:+.3f}, {gain.high:+.3f}]: {verdict}")


def rate_text(rate: float | None, *, places: int = 2) -> str:
    """Return a pass rate as it is printed; one that does not exist, since no constraint applied, is a dash."""
    return "-" if rate is None else f"{rate:.{places}f}"


def show_rates(console: Console, evaluation: Evaluation) -> None:
    """Print pass rates of one model, overall and by kind."""
    summary = evaluation.summary()
    table = Table("", "satisfied", "of", title="Constraints satisfied", title_justify="left")
    table.add_row("all (mean over problems)", rate_text(summary["pass_rate"]), str(len(evaluation.problem_rates())))
    for kind, (count, of) in evaluation.kind_rates().items():
        table.add_row(f"  {kind}", f"{count / of:.2f}", str(of))
    if "hacked" in summary:
        table.add_row("hacked trip wires", rate_text(summary["hacked"]), str(len(evaluation.trip_wires)))
    for name, mean in summary["rewards"].items():
        table.add_row(f"reward {name}", f"{mean:.3f}", "")
    console.print(table)


def show_answers(console: Console, before: Evaluation, after: Evaluation, *, count: int = 3) -> None:
    """Print a few held-out prompts with the answers of the base model and of the adapter."""
    tuned = {answer.problem_id: answer for answer in after.answers}
    table = Table(title="The same prompts, base model and adapter", title_justify="left", show_lines=True)
    for column in ("prompt", "base model", "adapter"):
        table.add_column(column, overflow="fold", ratio=1)
    stride = max(1, len(before.answers) // count)
    for answer in before.answers[::stride][:count]:
        pair = (answer, tuned[answer.problem_id])
        cells = (f"{one.completion.strip()}\n\n{_verdicts(one.satisfied)}" for one in pair)
        table.add_row(Text(answer.prompt), *(Text(cell) for cell in cells))
    console.print(table)


def _verdicts(satisfied: Sequence[tuple[str, bool]]) -> str:
    return "\n".join(f"{'✓' if is_satisfied else '✗'} {kind}" for kind, is_satisfied in satisfied)


def show_credit(console: Console, record: dict[str, Any], tokenizer: PreTrainedTokenizerBase) -> None:
    """Print one recorded completion, its tokens coloured by their credit."""
    console.print(
        f"\n[bold]Credit[/bold] of one completion (step {record['step']}, {record['which']} of its group, "
        f"advantage {record['advantage']:+.2f}): orange tokens got more than an equal share of it, blue ones less"
    )
    console.print(colored_by_credit(tokenizer, record["completion_ids"], record["weights"]))


def colored_by_credit(
    tokenizer: PreTrainedTokenizerBase, completion_ids: Sequence[int], weights: Sequence[float]
) -> Text:
    """Return the completion, each token's characters coloured by its weight and white at an equal share."""
    text, reach = Text(decode(tokenizer, completion_ids)), scale_reach(weights)
    for (start, end), weight in zip(completion_spans(tokenizer, completion_ids), weights, strict=True):
        red, green, blue = on_white(weight, reach)
        text.stylize(f"black on rgb({red},{green},{blue})", start, end)
    return text
