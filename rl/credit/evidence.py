"""Evidence: the verdicts about a batch of completions, as masks over its tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from data.problems import Problem
from rewards.verdict import Verdict
from rl.common.errors import UserError
from rl.models.tokenization import Span, completion_spans, decode, prompt_spans, tokens_overlapping

# Axes: B completions, C constraints (as many as the prompt with most has), P prompt tokens, T completion tokens.


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedCompletion:
    """One completion of a problem: its text, its verdicts, and the tokens that it was sampled or encoded as.

    Example:
        Judged(problem=problem, text="Rain, rain.", verdicts=(verdict,), prompt_ids=(1, 52, 7), completion_ids=(12, 2))
    """

    problem: Problem
    text: str
    verdicts: tuple[Verdict, ...]
    """One a constraint, in order."""
    prompt_ids: tuple[int, ...]
    completion_ids: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class EvidenceMasks:
    """Evidence of a batch, before the probe has read anything."""

    tokens: Bool[Tensor, "B C T"]
    """Tokens that prove or break the constraint; all of them where it is about the whole text."""
    passages: Bool[Tensor, "B C P"]
    """Prompt tokens that state the constraint; prompts end together, at P."""
    satisfied: Float[Tensor, "B C"]
    """1, 0, or NaN where the constraint does not apply or the prompt has no such constraint."""

    @property
    def failed(self) -> Bool[Tensor, "B C"]:
        return self.satisfied == 0.0


def evidence_masks(
    tokenizer: PreTrainedTokenizerBase, batch: Sequence[JudgedCompletion], *, prompt_length: int, completion_length: int
) -> EvidenceMasks:
    """The masks of a batch whose prompts are padded on the left and whose completions on the right.

    Raises UserError when a prompt's or an answer's text cannot be found again in its tokens.
    """
    num_constraints = max([1, *(len(judged.verdicts) for judged in batch)])
    tokens = torch.zeros(len(batch), num_constraints, completion_length, dtype=torch.bool)
    passages = torch.zeros(len(batch), num_constraints, prompt_length, dtype=torch.bool)
    satisfied = torch.full((len(batch), num_constraints), torch.nan)
    known: dict[tuple[str, tuple[int, ...]], list[list[bool]]] = {}
    for row, judged in enumerate(batch):
        prompt = (judged.problem.problem_id, judged.prompt_ids)
        if prompt not in known:
            known[prompt] = stated_by(tokenizer, judged.problem, judged.prompt_ids)
        first = prompt_length - len(judged.prompt_ids)
        shown = shown_by(tokenizer, judged)
        for place, verdict in enumerate(judged.verdicts):
            passages[row, place, first:] = torch.tensor(known[prompt][place])
            tokens[row, place, : len(judged.completion_ids)] = torch.tensor(shown[place])
            if verdict.satisfied is not None:
                satisfied[row, place] = float(verdict.satisfied)
    return EvidenceMasks(tokens=tokens, passages=passages, satisfied=satisfied)


def stated_by(tokenizer: PreTrainedTokenizerBase, problem: Problem, prompt_ids: Sequence[int]) -> list[list[bool]]:
    """For each constraint, which prompt tokens state it."""
    spans = prompt_spans(tokenizer, problem.messages, prompt_ids)
    return [tokens_overlapping(spans, spec.spans) for spec in problem.constraints]


def shown_by(tokenizer: PreTrainedTokenizerBase, judged: JudgedCompletion) -> list[list[bool]]:
    """For each verdict, which completion tokens are its evidence; the end-of-text token too where the whole text is."""
    written = decode(tokenizer, judged.completion_ids)
    start = text_start(written, judged.text)
    spans = [(begin - start, end - start) for begin, end in completion_spans(tokenizer, judged.completion_ids)]
    return [
        [True] * len(spans) if covers(verdict.evidence, judged.text) else tokens_overlapping(spans, verdict.evidence)
        for verdict in judged.verdicts
    ]


def text_start(written: str, text: str) -> int:
    """Where the text begins in what its tokens spell: a template may strip its white space, or its end may be cut off.

    Raises UserError when the tokens spell something else.
    """
    core = text.strip()
    place = written.find(core)
    if place < 0 and core.startswith(written.strip()):
        place = written.find(written.strip())
    if place < 0:
        raise UserError(
            f"the answer {text[:60]!r} is not what its tokens spell ({written[:60]!r}), so evidence cannot be placed "
            "in it; set credit.rule to one that looks at no evidence, and probe.listen=auto"
        )
    return place - (len(text) - len(text.lstrip()))


def covers(evidence: Sequence[Span], text: str) -> bool:
    """Whether the spans leave out no character of the text but white space."""
    reached = 0
    for start, end in sorted(evidence):
        if text[reached:start].strip():
            return False
        reached = max(reached, end)
    return bool(evidence) and not text[reached:].strip()
