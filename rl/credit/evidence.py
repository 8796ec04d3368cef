"""Evidence: the verdicts on a batch of completions, as masks over prompt and completion tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from data.problems import Problem
from rl.common.errors import UserError
from rl.models.answers import answer_tokens, split_answer
from rl.models.tokenization import Span, completion_spans, decode, prompt_spans, tokens_overlapping
from rl.scoring.scorer import ScoredCompletion

# Axes: B completions, C constraints (as many as the prompt with most has), P prompt tokens, T completion tokens.


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenizedCompletion:
    """A scored completion, and the token ids of its prompt and of itself.

    Example:
        TokenizedCompletion(scored=scored, prompt_ids=(1, 52, 7), completion_ids=(12, 2))
    """

    scored: ScoredCompletion
    prompt_ids: tuple[int, ...]
    completion_ids: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class EvidenceMasks:
    """Evidence of a batch, without the attention to its constraints."""

    tokens: Bool[Tensor, "B C T"]
    """Tokens that satisfy or violate the constraint; all of them where it is about the whole text."""
    passages: Bool[Tensor, "B C P"]
    """Prompt tokens that state the constraint; prompts end together, at P."""
    satisfied: Float[Tensor, "B C"]
    """1, 0, or NaN where the constraint does not apply or the prompt has no such constraint."""

    @property
    def failed(self) -> Bool[Tensor, "B C"]:
        return self.satisfied == 0.0


def evidence_masks(
    tokenizer: PreTrainedTokenizerBase,
    batch: Sequence[TokenizedCompletion],
    *,
    prompt_length: int,
    completion_length: int,
) -> EvidenceMasks:
    """Return the masks of a batch whose prompts are padded on the left and whose completions on the right.

    Raises UserError when the text of a prompt or a completion cannot be found in its tokens.
    """
    num_constraints = max([1, *(len(completion.scored.verdicts) for completion in batch)])
    tokens = torch.zeros(len(batch), num_constraints, completion_length, dtype=torch.bool)
    passages = torch.zeros(len(batch), num_constraints, prompt_length, dtype=torch.bool)
    satisfied = torch.full((len(batch), num_constraints), torch.nan)
    passages_by_prompt: dict[tuple[tuple[tuple[Span, ...], ...], tuple[int, ...]], list[list[bool]]] = {}
    for row, completion in enumerate(batch):
        problem, prompt_ids = completion.scored.problem, completion.prompt_ids
        prompt = (tuple(spec.spans for spec in problem.constraints), prompt_ids)
        if prompt not in passages_by_prompt:
            passages_by_prompt[prompt] = constraint_passages(tokenizer, problem, prompt_ids)
        first = prompt_length - len(prompt_ids)
        evidence = evidence_tokens(tokenizer, completion)
        for index, verdict in enumerate(completion.scored.verdicts):
            passages[row, index, first:] = torch.tensor(passages_by_prompt[prompt][index])
            tokens[row, index, : len(completion.completion_ids)] = torch.tensor(evidence[index])
            if verdict.satisfied is not None:
                satisfied[row, index] = float(verdict.satisfied)
    return EvidenceMasks(tokens=tokens, passages=passages, satisfied=satisfied)


def constraint_passages(
    tokenizer: PreTrainedTokenizerBase, problem: Problem, prompt_ids: Sequence[int]
) -> list[list[bool]]:
    """Return, for each constraint, which prompt tokens state it."""
    spans = prompt_spans(tokenizer, problem.messages, prompt_ids)
    return [tokens_overlapping(spans, spec.spans) for spec in problem.constraints]


def evidence_tokens(tokenizer: PreTrainedTokenizerBase, completion: TokenizedCompletion) -> list[list[bool]]:
    """Return, for each verdict, which completion tokens are its evidence.

    Where the evidence is the whole text, the end-of-text token belongs to it; the tokens of a thought never do.
    """
    text, ids = completion.scored.text, completion.completion_ids
    split = split_answer(tokenizer, completion.prompt_ids, ids)
    start = split.start + text_start(decode(tokenizer, ids)[split.start :], text)
    spans = [(begin - start, end - start) for begin, end in completion_spans(tokenizer, ids)]
    answer = answer_tokens(tokenizer, completion.prompt_ids, ids) if split.start else [True] * len(spans)
    return [
        list(answer) if is_whole_text(verdict.evidence, text) else tokens_overlapping(spans, verdict.evidence)
        for verdict in completion.scored.verdicts
    ]


def text_start(decoded: str, text: str) -> int:
    """Return where the text begins in its decoded tokens: a template may strip white space, or cut off the end.

    Raises UserError when the tokens spell something else.
    """
    core = text.strip()
    index = decoded.find(core)
    if index < 0 and core.startswith(decoded.strip()):
        index = decoded.find(decoded.strip())
    if index < 0:
        raise UserError(
            f"the answer {text[:60]!r} is not what its tokens spell ({decoded[:60]!r}), so evidence cannot be placed "
            "in it; set credit.rule to one that needs no evidence, and probe.listen=auto"
        )
    return index - (len(text) - len(text.lstrip()))


def is_whole_text(evidence: Sequence[Span], text: str) -> bool:
    """Return whether the spans leave out no character of the text but white space."""
    reached = 0
    for start, end in sorted(evidence):
        if text[reached:start].strip():
            return False
        reached = max(reached, end)
    return bool(evidence) and not text[reached:].strip()
