"""`heed data verify`: a file of prompts checked, and the answers in it."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from data.dataset_summary import answer_verdicts, count, soundness
from data.muldimif import read_muldimif
from data.problems import Problem
from data.reading import read_implemented
from data.row_formats import row_format
from data.sources import read_rows
from launch.data.show import progress, show_counts, show_prompts, show_table
from rewards.satisfaction import rates_by_kind


def verify_command(file: Path) -> dict[str, Any]:
    """Check a file of prompts, and the answers in it where it has a column `completion` or `response`.

    Prompts of a kind without a verifier, and MulDimIF texts that could not be read, are left out and counted.
    """
    problems, left_out = _read(file)
    counts, sound = asdict(count(problems)), asdict(soundness(progress(problems, "checking prompts")))
    rates = rates_by_kind(answer_verdicts(progress(problems, "checking answers")))
    show_prompts(problems)
    show_counts(counts)
    if rates:
        show_table("satisfied by the answers", {kind: f"{rate:.2f}" for kind, rate in rates.items()})
    if left_out:
        show_table("left out", left_out)
    Console().print(
        f"{len(problems)} prompts; {sound['proved']} proved satisfiable, {sum(sound['conflicting'].values())} with a "
        f"conflict; {sound['without_span']} constraints without a span, {sound['wrong_span']} with a wrong one"
    )
    return {"file": str(file), **counts, **sound, "left_out": left_out, "satisfaction": rates}


def _read(file: Path) -> tuple[Sequence[Problem], dict[str, int]]:
    """Return the problems of a file, and reason -> how many are left out for it."""
    first = next((row for _, row in read_rows(file)), None)
    if first is not None and row_format(first) == "MulDimIF":
        muldimif = read_muldimif(file)
        reasons = [item.reason for item in muldimif.unread]
        return muldimif.problems, {reason: reasons.count(reason) for reason in dict.fromkeys(reasons)}
    problems, unimplemented = read_implemented(file)
    return problems, {f"no verifier for {kind}": number for kind, number in unimplemented.most_common()}
