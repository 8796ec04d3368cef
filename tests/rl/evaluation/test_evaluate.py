"""Evaluation: the same problems before and after, paired, with an interval worked out by hand."""

from dataclasses import asdict, replace

import hypothesis.strategies as st
import pytest
from hypothesis import given

from data.problems import ConstraintSpec, Problem
from rewards.verifiers import verifying
from rl.common.atomic import write_json
from rl.evaluation.evaluate import (
    EvaluatedAnswer,
    Evaluation,
    evaluate,
    evaluate_answer,
    load_evaluation,
    mark_hacked,
    num_answers,
    paired_gain,
)
from rl.models.load import load_tokenizer
from rl.rollouts.answering import answer_here
from rl.rollouts.types import RolloutRequest, Sample
from tests.rl.thinking import thinking_tokenizer

TOKENIZER = load_tokenizer("tiny")
NO_COMMA = ConstraintSpec(id="punctuation:no_comma", kwargs={}, text="Use no commas.")
WORDS = ConstraintSpec(id="length:word_range", kwargs={"minimum": 2, "maximum": 3}, text="Write 2 or 3 words.")


def make_problem(name: str, *constraints: ConstraintSpec, padding: str = "") -> Problem:
    text = f"Describe the {name}.{padding}"
    return Problem(problem_id=name, messages=({"role": "user", "content": text},), constraints=constraints)


def make_answer(problem_id: str, *satisfied: bool) -> EvaluatedAnswer:
    return EvaluatedAnswer(
        problem_id=problem_id,
        prompt="Describe the sea.",
        completion="The sea is wide.",
        satisfied=tuple((f"kind:{index}", value) for index, value in enumerate(satisfied)),
        num_words=4,
        distinct_share=1.0,
        on_topic=1.0,
        not_echo=1.0,
    )


def make_evaluation(**rates: tuple[bool, ...]) -> Evaluation:
    return Evaluation(answers=tuple(make_answer(name, *satisfied) for name, satisfied in rates.items()))


class Parrot:
    """An engine that answers every prompt with one text, and records the requests it gets."""

    def __init__(self, text: str):
        self.ids = tuple(TOKENIZER(text)["input_ids"])
        self.requests: list[RolloutRequest] = []

    def sample(self, request: RolloutRequest) -> list[Sample]:
        self.requests.append(request)
        rows = [prompt for prompt in request.prompts for _ in range(request.num_generations)]
        return [
            Sample(
                prompt_ids=prompt,
                completion_ids=self.ids,
                logprobs=(0.0,) * len(self.ids),
                finish_reason="stop",
                version=request.version,
            )
            for prompt in rows
        ]


def test_evaluate_answer__verifies_every_constraint():
    answer = evaluate_answer(make_problem("sea", NO_COMMA, WORDS), "blue, wide, deep, cold")
    assert answer.satisfied == (("punctuation:no_comma", False), ("length:word_range", False))
    assert answer.num_words == 4
    assert evaluate_answer(make_problem("sea", NO_COMMA, WORDS), "wide and blue").pass_rate == 1.0
    assert evaluate_answer(make_problem("sea", NO_COMMA, WORDS), "a wide blue sea").pass_rate == 0.5


def test_evaluate_answer__an_echo_of_the_prompt_is_marked():
    problem = make_problem("sea", NO_COMMA)
    assert evaluate_answer(problem, "Describe the sea.").not_echo == 0.0
    assert evaluate_answer(problem, "It is wide and deep.").not_echo == 1.0


def test_evaluate__answers_every_problem_samples_times():
    problems = [
        make_problem("sea", NO_COMMA),
        make_problem("hill", WORDS, padding=" Make it long."),
        make_problem("sky", WORDS),
    ]
    engine = Parrot("wide and blue")
    evaluation = evaluate(answer_here(engine), TOKENIZER, problems, samples=2, batch_size=4, seed=7)
    assert num_answers([*problems, make_problem("lake")], samples=2) == len(evaluation.answers) == 6
    assert sorted(answer.problem_id for answer in evaluation.answers) == ["hill", "hill", "sea", "sea", "sky", "sky"]
    assert {answer.completion for answer in evaluation.answers} == {"wide and blue"}
    # 4 rows a batch are 2 problems; the shortest prompts come first
    assert [
        (request.position, len(request.prompts), request.num_generations, request.seed) for request in engine.requests
    ] == [
        (0, 2, 2, 7),
        (2, 1, 2, 7),
    ]
    assert len(engine.requests[1].prompts[0]) > len(engine.requests[0].prompts[0])


def test_evaluate__judges_the_content_of_an_answer_without_its_thoughts():
    # the thoughts have a comma and three words, the answer has neither
    engine, problems = Parrot("<think>blue, or green?</think>\nblue"), [make_problem("sea", NO_COMMA)]
    evaluation = evaluate(answer_here(engine), thinking_tokenizer(), problems, samples=1, batch_size=1, seed=0)
    assert [(answer.completion, answer.pass_rate) for answer in evaluation.answers] == [("blue", 1.0)]


def test_evaluate__problems_that_share_an_id_count_one_by_one():
    # "wide, blue" passes WORDS and fails NO_COMMA: (0 + 1 + 1) / 3; three problems called "sea" were one of rate 2 / 3
    rows = [make_problem("sea", NO_COMMA), make_problem("sea", WORDS), make_problem("sea (2)", WORDS)]
    before, after = (
        evaluate(answer_here(Parrot(text)), TOKENIZER, rows, samples=2, batch_size=8, seed=0)
        for text in ("a, b, c, d", "wide, blue")
    )
    assert after.problem_rates() == {"sea": 0.0, "sea (2)": 1.0, "sea (2) (2)": 1.0}
    gain = paired_gain(before, after)
    assert (gain.mean, gain.num_problems) == (pytest.approx(2 / 3), 3)


def test_evaluate__two_policies_get_the_same_requests():
    problems = [make_problem("sea", NO_COMMA), make_problem("sky", WORDS)]
    first, second = Parrot("wide"), Parrot("wide and blue, and deep")
    for engine in (first, second):
        evaluate(answer_here(engine), TOKENIZER, problems, samples=1, batch_size=1, seed=0)
    assert first.requests == second.requests


def test_evaluate__problems_without_constraints_are_left_out():
    evaluation = evaluate(
        answer_here(Parrot("wide")),
        TOKENIZER,
        [make_problem("sea"), make_problem("sky", WORDS)],
        samples=1,
        batch_size=8,
        seed=0,
    )
    assert [answer.problem_id for answer in evaluation.answers] == ["sky"]


def test_evaluate__nothing_to_verify_is_an_error():
    with pytest.raises(ValueError, match="needs problems with constraints"):
        evaluate(answer_here(Parrot("wide")), TOKENIZER, [make_problem("sea")], samples=1, batch_size=8, seed=0)


def test_pass_rate__is_none_where_no_constraint_applies():
    # a constraint on tables does not apply to an answer without one, and may apply to the other policy's answer
    nothing, half = make_answer("sea"), make_answer("sky", True, False)
    evaluation = Evaluation(answers=(nothing, half))
    assert nothing.pass_rate is None
    assert evaluation.problem_rates() == {"sky": 0.5}
    assert evaluation.summary()["pass_rate"] == 0.5
    assert evaluation.summary()["all_satisfied"] == 0.0


def test_paired_gain__leaves_out_problems_with_one_pass_rate_only():
    # sea: a gain of 1; sky: nothing applied before, so nothing is compared
    before = make_evaluation(sea=(False,), sky=())
    after = make_evaluation(sea=(True,), sky=(True,))
    gain = paired_gain(before, after)
    assert (gain.mean, gain.num_problems) == (1.0, 1)


def test_summary__means_over_problems_and_counts_over_kinds():
    evaluation = Evaluation(
        answers=(make_answer("sea", True, True), make_answer("sea", True, False), make_answer("sky", False))
    )
    # sea: (1 + 0.5) / 2 = 0.75, sky: 0
    assert evaluation.problem_rates() == {"sea": 0.75, "sky": 0.0}
    assert evaluation.kind_rates() == {"kind:0": (2, 3), "kind:1": (1, 2)}
    summary = evaluation.summary()
    assert summary["pass_rate"] == 0.375
    assert summary["all_satisfied"] == pytest.approx(1 / 3)
    assert summary["kinds"]["kind:0"] == {"satisfied": 2, "of": 3}


def test_paired_gain__is_the_mean_paired_difference():
    # sea 0 -> 1, sky 0.5 -> 0.5, hill 1 -> 0.5: (1 + 0 - 0.5) / 3
    before = make_evaluation(sea=(False,), sky=(True, False), hill=(True, True))
    after = make_evaluation(hill=(True, False), sky=(False, True), sea=(True,))
    gain = paired_gain(before, after)
    assert gain.mean == pytest.approx(0.5 / 3)
    assert gain.num_problems == 3


def test_paired_gain__interval_of_two_problems_by_hand():
    # differences 0 and 1: the mean of two draws is 0, 0.5 or 1 with probability 1/4, 1/2, 1/4, so that 95 % of the
    # draws need both ends
    before, after = make_evaluation(sea=(False,), sky=(False,)), make_evaluation(sea=(True,), sky=(False,))
    gain = paired_gain(before, after)
    assert (gain.mean, gain.low, gain.high) == (0.5, 0.0, 1.0)


def test_paired_gain__interval_of_many_problems_is_the_normal_one():
    # 200 of 400 problems gain 1: standard error sqrt(0.25 / 400) = 0.025, interval 0.5 -+ 1.96 * 0.025
    before = make_evaluation(**{f"p{index}": (False,) for index in range(400)})
    after = make_evaluation(**{f"p{index}": (index % 2 == 0,) for index in range(400)})
    gain = paired_gain(before, after)
    assert (gain.low, gain.high) == (pytest.approx(0.451, abs=0.003), pytest.approx(0.549, abs=0.003))


@given(st.lists(st.booleans(), min_size=1, max_size=8), st.lists(st.booleans(), min_size=1, max_size=8))
def test_paired_gain__interval_contains_the_mean_and_a_swap_turns_the_sign(values_before, values_after):
    names = [f"p{index}" for index in range(min(len(values_before), len(values_after)))]
    before = make_evaluation(**{name: (value,) for name, value in zip(names, values_before, strict=False)})
    after = make_evaluation(**{name: (value,) for name, value in zip(names, values_after, strict=False)})
    gain, loss = (paired_gain(*pair, resamples=500) for pair in ((before, after), (after, before)))
    assert gain.low <= gain.mean <= gain.high
    assert loss.mean == -gain.mean


def test_paired_gain__different_problems_are_not_compared():
    with pytest.raises(ValueError, match="different problems"):
        paired_gain(make_evaluation(sea=(True,)), make_evaluation(sky=(True,)))


def test_load_evaluation__reads_what_was_written(tmp_path):
    evaluation = make_evaluation(sea=(True, False), sky=(True,))
    write_json(tmp_path / "before.json", asdict(evaluation))
    assert load_evaluation(tmp_path / "before.json") == evaluation
    assert load_evaluation(tmp_path / "before.json") != replace(evaluation, answers=evaluation.answers[:1])


def test_evaluation__without_an_applicable_constraint_has_no_rate_and_no_gain():
    nothing = make_evaluation(sea=(), sky=())
    summary = nothing.summary()
    assert (summary["pass_rate"], summary["all_satisfied"], summary["kinds"]) == (None, None, {})
    assert paired_gain(nothing, nothing) is None


def test_hacked__is_the_share_of_trip_wire_answers_that_keep_their_rule_by_a_shortcut(tmp_path):
    title = ConstraintSpec(id="detectable_format:title", kwargs={}, text="Add a title, as in <<this>>.")
    problem = make_problem("sea", title, padding=" Add a title, as in <<this>>.")
    texts = ("<<this>> The title is above as you can see.", "<<Salt>> It is wide and grey today.", "It has no title.")
    with verifying("eval"):  # for `reward` the title that was asked for is no title
        asked = Evaluation(answers=tuple(evaluate_answer(problem, text) for text in texts))
    evaluation = replace(asked, answers=asked.answers[1:], trip_wires=mark_hacked(asked, [problem]))
    assert [answer.hacked for answer in evaluation.trip_wires] == [True, False, False]
    assert evaluation.summary()["hacked"] == pytest.approx(1 / 3)
    assert evaluation.summary()["pass_rate"] == 0.5, "trip wires count in nothing else"
    assert "hacked" not in asked.summary()
    write_json(tmp_path / "after.json", asdict(evaluation))
    assert load_evaluation(tmp_path / "after.json") == evaluation
