"""Program for vLLM: loads adapters with it alone, and writes the log-probs that it gives the tokens of a text.

Usage: `python vllm_logprobs.py BASE MAX_LORA_RANK ADAPTERS TOKENS LOGPROBS`, where ADAPTERS is a JSON object of name
and folder. The base model's own log-probs are written under the empty name.
"""

import json
import os
import sys

import torch
from safetensors.torch import load_file, save_file

CACHE_BYTES = 2**28
"""For the few prompts: vLLM's own choice is nearly all of a GPU, or gigabytes of main memory."""


def main(base: str, rank: str, adapters: str, tokens: str, logprobs: str) -> None:
    # In this process, so that an error is the last line of its output.
    os.environ.update(VLLM_ENABLE_V1_MULTIPROCESSING="0", VLLM_NO_USAGE_STATS="1")
    from vllm import LLM, SamplingParams  # pyright: ignore[reportMissingImports]
    from vllm.lora.request import LoRARequest  # pyright: ignore[reportMissingImports]

    ids = load_file(tokens)["ids"][0].tolist()
    llm = LLM(
        model=base,
        dtype="float32",
        enable_lora=True,
        max_lora_rank=int(rank),
        max_model_len=len(ids) + 1,
        kv_cache_memory_bytes=CACHE_BYTES,
        enforce_eager=True,
    )
    # Each token after each beginning of the text, as vLLM samples; log-probs of a prompt pass by its cache.
    ends = range(1, len(ids))
    prompts = [{"prompt_token_ids": ids[:end]} for end in ends]
    parameters = [SamplingParams(temperature=1.0, max_tokens=1, logprob_token_ids=[ids[end]]) for end in ends]
    requests = {"": None} | {
        name: LoRARequest(name, number, folder)
        for number, (name, folder) in enumerate(json.loads(adapters).items(), start=1)
    }
    answers = {
        name: llm.generate(prompts, parameters, lora_request=request, use_tqdm=False)
        for name, request in requests.items()
    }
    save_file(
        {
            name: torch.tensor(
                [one.outputs[0].logprobs[0][ids[end]].logprob for end, one in zip(ends, outputs, strict=True)]
            )
            for name, outputs in answers.items()
        },
        logprobs,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
