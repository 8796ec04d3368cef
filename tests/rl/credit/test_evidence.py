"""Evidence: verdicts become masks over the tokens that were sampled."""

from dataclasses import replace

import pytest
import torch

from data.problems import ConstraintSpec, Problem
from data.verdicts import verdicts_for
from rewards.verdict import NOT_APPLICABLE, Verdict
from rl.credit.evidence import TokenizedCompletion, evidence_masks, is_whole_text
from rl.models.load import load_tokenizer
from rl.models.tokenization import encode_prompt
from rl.scoring.scorer import ScoredCompletion

TOKENIZER = load_tokenizer("tiny")
REQUEST = "Describe the rain. Use no commas."
PROBLEM = Problem(
    problem_id="rain",
    messages=({"role": "user", "content": REQUEST},),
    constraints=(
        ConstraintSpec(id="punctuation:no_comma", kwargs={}, text="Use no commas.", spans=((19, 33),)),
        ConstraintSpec(id="length:word_range", kwargs={"minimum": 9, "maximum": 12}, text=""),
    ),
)


def completion(text: str, *, verdicts: tuple[Verdict, ...] | None = None) -> TokenizedCompletion:
    ids = TOKENIZER(text, add_special_tokens=False)["input_ids"]
    return TokenizedCompletion(
        scored=ScoredCompletion(problem=PROBLEM, text=text, verdicts=verdicts or verdicts_for(PROBLEM, text)),
        prompt_ids=encode_prompt(TOKENIZER, [dict(message) for message in PROBLEM.messages]),
        completion_ids=(*ids, TOKENIZER.eos_token_id),
    )


def pieces(ids, mask) -> str:
    """The text of the marked tokens."""
    return TOKENIZER.decode([token for token, marked in zip(ids, mask, strict=False) if marked])


def test_evidence_masks__mark_the_tokens_of_the_commas():
    one = completion("Rain, rain, and more rain.")
    masks = evidence_masks(TOKENIZER, [one], prompt_length=len(one.prompt_ids), completion_length=40)
    assert pieces(one.completion_ids, masks.tokens[0, 0]) == ",,"
    assert masks.failed.tolist() == [[True, True]]


def test_evidence_masks__whole_text_evidence_marks_every_token_and_the_end_of_text():
    one = completion("Rain rain.")
    masks = evidence_masks(TOKENIZER, [one], prompt_length=len(one.prompt_ids), completion_length=40)
    assert masks.tokens[0, 1].sum() == len(one.completion_ids)
    assert not masks.tokens[0, 0].any(), "no comma, so nothing shows it"


def test_evidence_masks__passages_are_found_in_the_left_padded_prompt():
    one = completion("Rain rain.")
    padding = 3
    masks = evidence_masks(
        TOKENIZER, [one], prompt_length=len(one.prompt_ids) + padding, completion_length=len(one.completion_ids)
    )
    padded = [TOKENIZER.pad_token_id] * padding + list(one.prompt_ids)
    assert pieces(padded, masks.passages[0, 0]).strip() == "Use no commas."
    assert not masks.passages[0, 1].any(), "nobody knows where it is stated"


def test_evidence_masks__not_applicable_is_neither_satisfied_nor_failed():
    one = completion("Rain rain.", verdicts=(NOT_APPLICABLE, Verdict(satisfied=True, margin=0.0, evidence=())))
    masks = evidence_masks(TOKENIZER, [one], prompt_length=len(one.prompt_ids), completion_length=40)
    assert masks.satisfied.isnan().tolist() == [[True, False]]
    assert masks.failed.tolist() == [[False, False]]


def test_evidence_masks__a_prompt_without_constraints_has_none_that_applies():
    free = Problem(problem_id="free", messages=PROBLEM.messages)
    one = completion("Rain.")
    other = replace(one, scored=ScoredCompletion(problem=free, text="Rain.", verdicts=()))
    masks = evidence_masks(TOKENIZER, [one, other], prompt_length=len(one.prompt_ids), completion_length=40)
    assert masks.satisfied[1].isnan().all() and not masks.tokens[1].any()
    alone = evidence_masks(TOKENIZER, [other], prompt_length=len(one.prompt_ids), completion_length=40)
    assert alone.tokens.shape == (1, 1, 40)


def test_evidence_masks__refuse_a_text_that_its_tokens_do_not_spell():
    one = completion("Rain.")
    wrong = replace(one, scored=replace(one.scored, text="Snow."))
    with pytest.raises(ValueError, match=r"'Snow\.' is not what its tokens spell"):
        evidence_masks(TOKENIZER, [wrong], prompt_length=40, completion_length=40)


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [((), False), (((0, 5),), True), (((0, 4),), False), (((0, 2), (3, 5)), True), (((1, 5),), False)],
)
def test_is_whole_text__when_only_white_space_is_left(evidence, expected):
    assert is_whole_text(evidence, "ab cd") is expected


def test_evidence_masks__are_boolean():
    one = completion("Rain, rain.")
    masks = evidence_masks(TOKENIZER, [one], prompt_length=len(one.prompt_ids), completion_length=40)
    assert (masks.tokens.dtype, masks.passages.dtype, masks.failed.dtype) == (torch.bool,) * 3
