"""Pairs: the evidence of a preference batch, and how much each constraint's channel counts for a pair."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from data.preferences import PreferencePair, ScoredAnswer
from rl.common.errors import UserError
from rl.config.credit import Region
from rl.credit.columns import credited_tokens
from rl.credit.evidence import TokenizedCompletion, constraint_passages, evidence_tokens
from rl.credit.inputs import CreditInputs, Evidence
from rl.credit.reader import ProbeReadings, recording_spans, token_readings
from rl.models.answers import answer_tokens
from rl.scoring.scorer import ScoredCompletion

# Axes: B pairs, 2B rows, the chosen answers first; C constraints; S tokens of prompt and answer.

PAIR = "pair"
"""Column with the index of a row's pair: a list, which the host reads without waiting for the device."""
EVIDENCE = ("evidence_tokens", "evidence_passages", "constraint_failed", "mixture")
"""Columns that `PairEvidence` adds."""

Batch = Mapping[str, Any]


class PairEvidence:
    """Evidence masks of every answer, made at its first use. Raises UserError when no prompt has a constraint."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, pairs: Sequence[PreferencePair]):
        if not any(pair.problem.constraints for pair in pairs):
            raise UserError("no prompt of data.path states a constraint; set credit.rule to one that needs none")
        self.tokenizer = tokenizer
        self.pairs = pairs
        self._masks_by_answer: dict[tuple[int, bool], tuple[list[list[bool]], list[list[bool]]]] = {}

    def columns(self, batch: Batch) -> dict[str, Tensor]:
        """Return the columns EVIDENCE of a batch that is still in the host's memory.

        `evidence_tokens` (2B, C, S-1), `evidence_passages` (2B, C, S), `constraint_failed` (2B, C), and `mixture`
        (2B, 1 + C): how much each channel counts.
        """
        indices = batch[PAIR]
        rows = [(index, True) for index in indices] + [(index, False) for index in indices]
        num_constraints = self._num_constraints(indices)
        length = batch["input_ids"].shape[1]
        tokens = torch.zeros(len(rows), num_constraints, length, dtype=torch.bool)
        passages = torch.zeros_like(tokens)
        failed = torch.zeros(len(rows), num_constraints, dtype=torch.bool)
        for row, (index, chosen) in enumerate(rows):
            pair = self.pairs[index]
            prompt, answer = _split(batch, row)
            end = len(prompt) + len(answer)
            prompt_masks, answer_masks = self._masks(index, chosen, prompt, answer)
            for constraint, verdict in enumerate(_answer(pair, chosen).verdicts):
                passages[row, constraint, : len(prompt)] = torch.tensor(prompt_masks[constraint][: len(prompt)])
                tokens[row, constraint, len(prompt) : end] = torch.tensor(answer_masks[constraint][: len(answer)])
                failed[row, constraint] = verdict.satisfied is False
        return dict(zip(EVIDENCE, (tokens[:, :, 1:], passages, failed, self._mixture(indices)), strict=True))

    def _mixture(self, indices: Sequence[int]) -> Tensor:
        """Return (2B, 1 + C), whose rows sum to 1.

        The constraints on which the two answers differ count alike; where none does, channel 0 counts alone.
        """
        mixture = torch.zeros(len(indices), 1 + self._num_constraints(indices))
        for row, index in enumerate(indices):
            differing = _differing(self.pairs[index])
            mixture[row, [1 + constraint for constraint in differing] or [0]] = 1.0 / max(1, len(differing))
        return torch.cat([mixture, mixture])

    def _num_constraints(self, indices: Sequence[int]) -> int:
        return max(1, *(len(self.pairs[index].problem.constraints) for index in indices))

    def _masks(
        self, index: int, chosen: bool, prompt: tuple[int, ...], answer: tuple[int, ...]
    ) -> tuple[list[list[bool]], list[list[bool]]]:
        """Return, for each constraint, the prompt tokens that state it and the answer tokens that are its evidence."""
        if (index, chosen) not in self._masks_by_answer:
            pair = self.pairs[index]
            given = _answer(pair, chosen)
            start = given.answer_start
            verdicts = tuple(verdict.shifted(-start) for verdict in given.verdicts)
            scored = ScoredCompletion(problem=pair.problem, text=given.text[start:], verdicts=verdicts)
            completion = TokenizedCompletion(scored=scored, prompt_ids=prompt, completion_ids=answer)
            self._masks_by_answer[index, chosen] = (
                constraint_passages(self.tokenizer, pair.problem, prompt),
                evidence_tokens(self.tokenizer, completion),
            )
        return self._masks_by_answer[index, chosen]


def answer_masks(tokenizer: PreTrainedTokenizerBase, batch: Batch) -> Tensor:
    """Return (2B, S - 1): which tokens but the first are those of an answer behind its thought."""
    masks = torch.zeros_like(batch["input_ids"], dtype=torch.bool)
    for row in range(len(masks)):
        prompt, completion = _split(batch, row)
        end = len(prompt) + len(completion)
        masks[row, len(prompt) : end] = torch.tensor(answer_tokens(tokenizer, prompt, completion))
    return masks[:, 1:]


def pair_spans(batch: Batch) -> Tensor | None:
    """Return the passages (2B, N, S) to record attention to; None where no constraint is known."""
    if "evidence_passages" not in batch:
        return None
    prompt = batch["attention_mask"].bool() & ~batch["completion_mask"].bool()
    return recording_spans(batch["evidence_passages"], prompt, 0)


def pair_inputs(
    batch: Batch, entropy: Tensor, probe_readings: ProbeReadings | None, region: Region = "all"
) -> CreditInputs:
    """Return what a rule gets: the completions' tokens among all but the first, those of the region that counts."""
    evidence = None
    if "evidence_tokens" in batch:
        attention = None if probe_readings is None else probe_readings.attention
        evidence = Evidence(tokens=batch["evidence_tokens"], failed=batch["constraint_failed"], attention=attention)
    mask = credited_tokens(batch["completion_mask"][:, 1:].bool(), batch, region)
    entropy = entropy[:, -mask.shape[1] :].detach().float()
    return CreditInputs(mask=mask, entropy=entropy, evidence=evidence, **token_readings(probe_readings))


def _answer(pair: PreferencePair, chosen: bool) -> ScoredAnswer:
    return pair.chosen if chosen else pair.rejected


def _differing(pair: PreferencePair) -> list[int]:
    """Return the indices of the constraints that one answer satisfies and the other does not."""
    verdicts = zip(pair.chosen.verdicts, pair.rejected.verdicts, strict=True)
    return [index for index, (one, other) in enumerate(verdicts) if one.satisfied != other.satisfied]


def _split(batch: Batch, row: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the token ids of a row's prompt and of its answer."""
    ids, answer = batch["input_ids"][row], batch["completion_mask"][row].bool()
    prompt = batch["attention_mask"][row].bool() & ~answer
    return tuple(ids[prompt].tolist()), tuple(ids[answer].tolist())
