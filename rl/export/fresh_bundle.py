"""Fresh-bundle program: loads a bundle in its own process, routes a prompt and writes its logits.

Usage: `python -m rl.export.fresh_bundle BUNDLE TASK TOKENS LOGITS`
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from rl.models.load import load_model
from rl.routing.bundle import load_routed, read_description


def main(bundle: str, task: str, tokens: str, logits: str) -> None:
    folder, ids = Path(bundle), load_file(tokens)["ids"]
    route = load_routed(folder, load_model(read_description(folder)["base_model"], device="cpu"))
    with torch.no_grad(), route.applied(route.gates(ids.tolist(), [task])):
        save_file({"logits": route.policy(input_ids=ids).logits.contiguous()}, logits)


if __name__ == "__main__":
    main(*sys.argv[1:])
