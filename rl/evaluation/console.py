"""A look at a run: the gain, answers side by side, and one completion coloured by credit."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text
from transformers import PreTrainedTokenizerBase

from rl.credit.colors import on_white, scale_reach
from rl.evaluation.evaluate import Evaluation, Gain
from rl.models.tokenization import completion_spans, decode


def show_gain(console: Console, before: Evaluation, after: Evaluation, gain: Gain) -> None:
    """Pass rates before and after, overall and by kind, and whether the text kept its length and its variety."""
    table = Table(title="Held-out constraints satisfied", title_justify="left")
    for column in ("", "before", "after", "of", "share of the gain"):
        table.add_column(column, justify="left" if not column else "right")
    first, last = before.summary(), after.summary()
    table.add_row(
        "all (mean over problems)", *_rates(first["pass_rate"], last["pass_rate"]), str(gain.num_problems), ""
    )
    table.add_row("every constraint at once", *_rates(first["all_satisfied"], last["all_satisfied"]), "", "")
    total = sum(held for held, _ in after.kind_rates().values()) - sum(held for held, _ in before.kind_rates().values())
    for kind, (held, of) in after.kind_rates().items():
        # A rule may apply to one side's answers only: then there is no rate to show beside the other.
        held_before, of_before = before.kind_rates().get(kind, (0, 0))
        share = f"{(held - held_before) / total:+.0%}" if total else ""
        rate_before = f"{held_before / of_before:.2f}" if of_before else "-"
        table.add_row(f"  {kind}", rate_before, f"{held / of:.2f}", str(of), share)
    for name, label in (
        ("mean_words", "words an answer"),
        ("distinct_share", "distinct words"),
        ("on_topic", "on topic"),
        ("not_echo", "own words"),
    ):
        table.add_row(label, f"{first[name]:.2f}", f"{last[name]:.2f}", "", "")
    console.print(table)
    verdict = "the interval excludes zero" if gain.low > 0 or gain.high < 0 else "the interval includes zero"
    console.print(f"gain {gain.mean:+.3f}, 95 % interval [{gain.low:+.3f}, {gain.high:+.3f}]: {verdict}")


def _rates(before: float, after: float) -> tuple[str, str]:
    return f"{before:.2f}", f"{after:.2f}"


def show_rates(console: Console, evaluation: Evaluation) -> None:
    """Pass rates of one model, overall and by kind."""
    figures = evaluation.summary()
    table = Table("", "satisfied", "of", title="Constraints satisfied", title_justify="left")
    table.add_row("all (mean over problems)", f"{figures['pass_rate']:.2f}", str(len(evaluation.problem_rates())))
    for kind, (held, of) in evaluation.kind_rates().items():
        table.add_row(f"  {kind}", f"{held / of:.2f}", str(of))
    console.print(table)


def show_answers(console: Console, before: Evaluation, after: Evaluation, *, count: int = 3) -> None:
    """A few held-out prompts with the base model's and the adapter's answers beside each other."""
    tuned = {answer.problem_id: answer for answer in after.answers}
    table = Table(title="The same prompts, base model and adapter", title_justify="left", show_lines=True)
    for column in ("prompt", "base model", "adapter"):
        table.add_column(column, overflow="fold", ratio=1)
    stride = max(1, len(before.answers) // count)
    for answer in before.answers[::stride][:count]:
        other = tuned[answer.problem_id]
        cells = (f"{text.completion.strip()}\n\n{_marks(text.satisfied)}" for text in (answer, other))
        table.add_row(Text(answer.prompt), *(Text(cell) for cell in cells))
    console.print(table)


def _marks(satisfied: Sequence[tuple[str, bool]]) -> str:
    return "\n".join(f"{'✓' if held else '✗'} {kind}" for kind, held in satisfied)


def show_credit(console: Console, record: dict[str, Any], tokenizer: PreTrainedTokenizerBase) -> None:
    """One recorded completion, each token on a background as strong as its credit weight."""
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
