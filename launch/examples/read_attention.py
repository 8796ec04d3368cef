"""Example: read the attention of any transformers decoder during a forward pass, without a trainer.

    python -m launch.examples.read_attention [MODEL]

MODEL is a hub name or a folder, and otherwise SmolLM2-135M-Instruct. A first token with far more influence than all
others is the usual attention sink.
"""

import sys

import torch

from attention_probes.record import ProbePlan, record_attention
from attention_probes.rhythm import find_rhythm
from rl.models.load import load_model, load_tokenizer

TEXT = """Why does bread rise? Yeast feeds on the sugar in the dough and gives off carbon dioxide. The gas is caught in
a net of gluten, so the dough swells. In the oven the bubbles grow once more, and then the crust sets around them."""


def main(model_name: str = "smollm2-135m-instruct") -> list[tuple[str, float]]:
    """Print and return the ten tokens with the highest future attention influence (FAI)."""
    model, tokenizer = load_model(model_name), load_tokenizer(model_name)
    batch = tokenizer(TEXT, return_tensors="pt").to(model.device)
    with torch.no_grad(), record_attention(model, ProbePlan(window=10, horizon=(4, 40))) as recorder:
        model(**batch, use_cache=False)
    readings = recorder.read()
    marks = find_rhythm(readings.waad, readings.fai, readings.real).positions()
    print(f"layers {readings.layers}; {len(marks['anchors'])} anchors, {len(marks['preplan'])} preplan tokens")
    fai, positions = readings.fai[0].topk(10)
    texts = [str(tokenizer.decode([token])) for token in batch["input_ids"][0, positions].tolist()]
    tokens = list(zip(texts, fai.tolist(), strict=True))
    for token, value in tokens:
        print(f"{value:.4f}  {token!r}")
    return tokens


if __name__ == "__main__":
    main(*sys.argv[1:2])
