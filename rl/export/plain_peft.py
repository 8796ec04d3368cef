"""Plain PEFT program: loads an adapter with transformers and PEFT alone, and writes its logits.

Usage: `python plain_peft.py BASE ADAPTER TOKENS LOGITS`
"""

import sys

import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM


def main(base: str, adapter: str, tokens: str, logits: str) -> None:
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model = PeftModel.from_pretrained(model, adapter).eval()
    with torch.no_grad():
        save_file({"logits": model(input_ids=load_file(tokens)["ids"]).logits}, logits)


if __name__ == "__main__":
    main(*sys.argv[1:])
