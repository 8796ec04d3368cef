"""Dataset summary: the counts, and problems that are not sound."""

from dataclasses import replace

from data.dataset_summary import answer_verdicts, count, soundness
from data.expansion import leveled_problem
from data.problems import ConstraintSpec, Problem

PROBLEMS = [leveled_problem(0, index, level=2, pattern="listing") for index in range(3)]


def make_problem(*constraints, text="Write. End with ! always.", **extras):
    return Problem(
        problem_id="p", messages=({"role": "user", "content": text},), constraints=constraints, extras=extras
    )


def test_count__kinds_levels_and_patterns():
    counts = count(PROBLEMS)
    assert counts.num_problems == 3 and counts.levels == {"2": 3} and counts.patterns == {"listing": 3}
    assert sum(counts.kinds.values()) == sum(len(problem.constraints) for problem in PROBLEMS)


def test_soundness__of_drawn_problems():
    sound = soundness(PROBLEMS)
    assert (sound.proved, sound.conflicting, sound.without_span, sound.wrong_span) == (3, {}, 0, 0)


def test_soundness__finds_a_conflict_and_a_wrong_span():
    lower = ConstraintSpec(id="change_case:english_lowercase", kwargs={}, text="small letters")
    upper = ConstraintSpec(id="change_case:english_capital", kwargs={}, text="End with !", spans=((0, 6),))
    sound = soundness([make_problem(lower, upper)])
    assert sound.proved == 0 and sum(sound.conflicting.values()) == 1
    assert (sound.without_span, sound.wrong_span) == (1, 1)


def test_answer_verdicts__only_where_there_are_answers():
    spec = ConstraintSpec(id="content:ends_with_mark", kwargs={"mark": "!"}, text="")
    verdicts = answer_verdicts(
        [make_problem(spec, response="Yes!"), make_problem(spec, completion="No."), make_problem(spec)]
    )
    assert [(kind, verdict.satisfied) for kind, verdict in verdicts] == [
        ("content:ends_with_mark", True),
        ("content:ends_with_mark", False),
    ]


def test_soundness__span_may_differ_in_case_and_final_stop():
    spec = ConstraintSpec(id="content:ends_with_mark", kwargs={"mark": "!"}, text="end with !.", spans=((7, 17),))
    assert soundness([make_problem(spec)]).wrong_span == 0
    assert soundness([make_problem(replace(spec, spans=((7, 16),)))]).wrong_span == 1
