"""Problem verdicts: one verdict for each constraint of a problem."""

from data.problems import Problem, user_text
from rewards.verdict import Verdict
from rewards.verifiers import verify


def verdicts_for(problem: Problem, completion: str) -> tuple[Verdict, ...]:
    """Return one verdict for each of the problem's constraints, in order."""
    prompt = user_text(problem)
    return tuple(verify(spec.id, completion, prompt=prompt, **spec.kwargs) for spec in problem.constraints)
