"""Report of a bench: curves, paired tables, predictions beside their outcomes, and what each arm cost, on one page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from markupsafe import Markup

from launch.bench.compare import BenchArm, area_under
from launch.bench.figures import curve_figure
from launch.bench.paired import Arms, PairedRow, paired_rows
from rl.common.atomic import write_text
from rl.common.templates import page_environment


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Arms that are compared with the first of them.

    Example:
        Comparison(title="K = 4", note="at tuned rates", arms={"uniform": {0: arm}, "constraint": {0: other}})
    """

    title: str
    arms: Arms
    note: str = ""

    @property
    def baseline(self) -> str:
        return next(iter(self.arms))

    @property
    def rows(self) -> list[PairedRow]:
        return paired_rows(self.arms, self.baseline)

    @property
    def figure(self) -> Markup:
        return Markup(curve_figure(self.arms, title=self.title))

    @property
    def seeds(self) -> list[int]:
        return sorted({seed for seeds in self.arms.values() for seed in seeds})

    def area(self, name: str, seed: int) -> float | None:
        arm = self.arms[name].get(seed)
        return None if arm is None else area_under(arm)


@dataclass(frozen=True, kw_only=True, slots=True)
class ChosenBy:
    """A table of numbers that were chosen by, such as learning rates; the best of each row is bold."""

    title: str
    columns: Sequence[str]
    rows: Mapping[str, Sequence[float | None]]


def write_bench_report(
    path: Path,
    *,
    title: str,
    comparisons: Sequence[Comparison],
    cpu_seconds: float,
    outcomes: Sequence[Any] = (),
    tables: Sequence[ChosenBy] = (),
    figures: Sequence[str] = (),
) -> Path:
    """Write the page and return its path."""
    environment = page_environment("launch.bench", ".")
    environment.filters["score"] = lambda value: "" if value is None else f"{value:.3f}"
    style = Markup(files("rl.report").joinpath("page", "report.css").read_text(encoding="utf-8"))
    page = environment.get_template("report.html.j2").render(
        title=title,
        comparisons=[comparison for comparison in comparisons if any(comparison.arms.values())],
        outcomes=outcomes,
        tables=tables,
        figures=[Markup(figure) for figure in figures],
        hours=cpu_seconds / 3600,
        style=style,
    )
    write_text(path, page)
    return path


def total_cpu_seconds(arms: Sequence[BenchArm]) -> float:
    """Return the CPU time of all trainings."""
    return sum(arm.cpu_seconds or 0.0 for arm in arms)
