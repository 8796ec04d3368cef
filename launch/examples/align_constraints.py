"""Example: find out which part of a response serves which constraint of its prompt.

    python -m launch.examples.align_constraints [MODEL]

The response is cut where later tokens treat the two sides of the cut differently; each segment is then aligned with
the constraints that its tokens attend to.
"""

import sys

import torch
from transformers import PreTrainedModel

from attention_probes.align import align_in_order
from attention_probes.constraint_attention import prompt_spans
from attention_probes.listening import WINDOW, Listening, listening_of
from attention_probes.record import ProbePlan, record_attention
from launch.probe.text import ProbedText, probed_text
from rl.models.load import load_model, load_tokenizer

CONSTRAINTS = ["First name three fruits.", "Then describe the sea.", "End with a question."]
PROMPT = " ".join(CONSTRAINTS)
RESPONSE = (
    "Apples, pears and plums are three fruits that grow in cool gardens. The sea is wide, blue and salty, and its "
    "waves never rest. Which of them would you rather have near your house?"
)


def main(model_name: str = "smollm2-135m-instruct") -> list[tuple[str, str]]:
    """Print, for each segment, its share in each constraint; return (constraint, segment) pairs aligned in order."""
    model, tokenizer = load_model(model_name), load_tokenizer(model_name)
    text = probed_text(tokenizer, model, PROMPT, RESPONSE, CONSTRAINTS, max_new_tokens=0)
    heard = listen(model, text)
    texts = ["".join(text.pieces[start:stop]) for start, stop in heard.segments]
    for segment, shares in zip(texts, heard.alignment.T.tolist(), strict=True):
        print("  ".join(f"{share:.2f}" for share in shares), repr(segment))
    groups = align_in_order(heard.attention).groups
    return [(CONSTRAINTS[c], texts[n]) for rows, columns in groups for c in range(*rows) for n in range(*columns)]


def listen(model: PreTrainedModel, text: ProbedText) -> Listening:
    """Return what the segments of the response attend to, from one forward pass over prompt and response."""
    stated = torch.tensor([list(text.constraints.values())])
    spans = prompt_spans(stated, ~text.completion_mask())
    plan, device = ProbePlan(boundary_window=WINDOW), model.device
    with torch.no_grad(), record_attention(model, plan, spans=spans.to(device)) as recorder:
        model(input_ids=torch.tensor([text.ids], device=device), use_cache=False)
    return listening_of(recorder.read().cpu(), spans, text.completion_mask())[0]


if __name__ == "__main__":
    for constraint, segment in main(*sys.argv[1:2]):
        print(f"{constraint} -> {segment!r}")
