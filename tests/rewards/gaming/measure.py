"""Measurement of the guards: honest answers by form and guard, attempts by family, as the tables of rewards/README.md.

Print them with `python -m tests.rewards.gaming.measure`.
"""

import runpy
from collections import Counter
from pathlib import Path

from data.verdicts import verdicts_for
from rewards.guards import apply_guards
from rewards.satisfaction import mean_satisfied
from rl.config.rewards import RewardsConfig
from rl.scoring.guard_values import GUARDS

HERE = Path(__file__).parent
HONEST = runpy.run_path(str(HERE / "honest.py"))["ANSWERS"]
ATTEMPTS = runpy.run_path(str(HERE / "attempts.py"))
REWARDS = RewardsConfig(guards=tuple(GUARDS), min_words=12)
"""Every guard that needs no model, with quickstart's `min_words`."""
LOW = 0.9
"""A guard below it takes something from an answer; an attempt that earns as much is paid in full."""


def guards_of(problem, text):
    """Return the value of each guard."""
    return {name: guard(text, problem, REWARDS) for name, guard in GUARDS.items()}


def low_guards():
    """Return, by form, how many honest answers there are, and how many each guard, and any guard, takes from."""
    counts = {answer.form: Counter() for answer in HONEST}
    for answer in HONEST:
        low = [name for name, value in guards_of(answer.problem, answer.text).items() if value < LOW]
        counts[answer.form].update(["answers", *low, *(["any"] if low else [])])
    return counts


def earnings(families):
    """Return, by family, how many attempts there are, how many are paid by the rules, and in spite of the guards."""
    counts = {family: Counter() for family in families}
    for attempt in ATTEMPTS["attempts"](families):
        satisfied = mean_satisfied(verdicts_for(attempt.problem, attempt.text))
        reward = apply_guards(satisfied, list(guards_of(attempt.problem, attempt.text).values()))
        levels = {"rules alone": satisfied >= LOW, "in full": reward >= LOW, "half": reward >= 0.5}
        counts[attempt.family].update(["tried", *(name for name, paid in levels.items() if paid)])
    return counts


def table(first, columns, counts):
    """Return counts as a Markdown table with a row of sums."""
    rows = [*counts.items(), ("all", sum(counts.values(), Counter()))]
    lines = [[first, *columns], ["---", *("--:" for _ in columns)]]
    lines += [[name, *(str(count[column]) for column in columns)] for name, count in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def honest_table():
    """Return the table of honest answers."""
    return table("form", ["answers", *GUARDS, "any"], low_guards())


def gaming_table(families):
    """Return the table of some families."""
    return table("family", ["tried", "rules alone", "in full", "half"], earnings(families))


if __name__ == "__main__":
    print(honest_table(), gaming_table(ATTEMPTS["SEEN"]), gaming_table(ATTEMPTS["UNSEEN"]), sep="\n\n")
