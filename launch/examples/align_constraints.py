"""Example: find out which part of a response serves which constraint of its prompt.

    python -m launch.examples.align_constraints [MODEL]

The response is cut where later tokens treat the two sides of the cut differently; each segment is then aligned with
the constraints that its tokens attend to.
"""

import sys

import torch
from torch import Tensor
from transformers import PreTrainedModel

from attention_probes.align import align_in_order, segment_attention, soft_assignment
from attention_probes.constraint_attention import constraint_attention, prompt_spans
from attention_probes.record import ProbePlan, Readings, record_attention
from attention_probes.segments import Segment, boundary_scores, cut_segments
from launch.probe.text import ProbedText, probed_text
from rl.models.load import load_model, load_tokenizer

CONSTRAINTS = ["First name three fruits.", "Then describe the sea.", "End with a question."]
PROMPT = " ".join(CONSTRAINTS)
RESPONSE = (
    "Apples, pears and plums are three fruits that grow in cool gardens. The sea is wide, blue and salty, and its "
    "waves never rest. Which of them would you rather have near your house?"
)
WINDOW = 4
"""Tokens on either side of a cut that are compared."""


def main(model_name: str = "smollm2-135m-instruct") -> list[tuple[str, str]]:
    """Print, for each segment, its share in each constraint; return (constraint, segment) pairs aligned in order."""
    model, tokenizer = load_model(model_name), load_tokenizer(model_name)
    text = probed_text(tokenizer, model, PROMPT, RESPONSE, CONSTRAINTS, max_new_tokens=0)
    readings, spans = read(model, text)
    segments = response_segments(readings, text)
    attention_CN = segment_attention(constraint_shares(readings, spans), segments)
    texts = ["".join(text.pieces[start:stop]) for start, stop in segments]
    for segment, shares in zip(texts, soft_assignment(attention_CN).T.tolist(), strict=True):
        print("  ".join(f"{share:.2f}" for share in shares), repr(segment))
    groups = align_in_order(attention_CN).groups
    return [(CONSTRAINTS[c], texts[n]) for rows, columns in groups for c in range(*rows) for n in range(*columns)]


def read(model: PreTrainedModel, text: ProbedText) -> tuple[Readings, Tensor]:
    """Return the readings of one forward pass over prompt and response, and the spans that it recorded."""
    stated = torch.tensor([list(text.constraints.values())])
    spans = prompt_spans(stated, ~text.completion_mask())
    plan, device = ProbePlan(boundary_window=WINDOW), model.device
    with torch.no_grad(), record_attention(model, plan, spans=spans.to(device)) as recorder:
        model(input_ids=torch.tensor([text.ids], device=device), use_cache=False)
    return recorder.read().cpu(), spans


def response_segments(readings: Readings, text: ProbedText) -> tuple[Segment, ...]:
    """Cut the response into at most twice as many segments as there are constraints."""
    assert readings.boundaries is not None
    before, after = readings.boundaries
    response = text.completion_mask()
    scores = boundary_scores(before, after, response, window=WINDOW)
    return cut_segments(scores[0], response[0], radius=WINDOW, max_segments=2 * len(text.constraints))


def constraint_shares(readings: Readings, spans: Tensor) -> Tensor:
    """Return each token's attention to each constraint as a share of its attention to all of them, (S, C)."""
    assert readings.span_mass is not None
    relative_SC = constraint_attention(readings.span_mass, spans).relative[:, 0, 0].nanmean(dim=0).nan_to_num()
    return relative_SC / relative_SC.sum(dim=1, keepdim=True).clamp(min=1e-12)


if __name__ == "__main__":
    for constraint, segment in main(*sys.argv[1:2]):
        print(f"{constraint} -> {segment!r}")
