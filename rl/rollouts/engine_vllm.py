"""Engine on vLLM: answers requests with vLLM, one LoRA name per policy version."""

import hashlib
import importlib
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from peft import LoraConfig
from safetensors.torch import load, load_file, save_file
from torch import Tensor

from rl.common.errors import RunFailure
from rl.config.model import AdapterConfig
from rl.models.load import model_path
from rl.rollouts.engines import EngineSetup, import_package
from rl.rollouts.generation import GenerationConfig
from rl.rollouts.types import RolloutRequest, Sample

# Written against vLLM 0.30: `LLM`, `SamplingParams` and `LoRARequest` as its documentation has them. TRL 1.16 admits
# 0.22 to 0.31, where they are the same.

LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""Values of vLLM's `max_lora_rank`; an adapter fits under the smallest one at or above its rank."""
ADAPTER = "adapter_model.safetensors"


class VllmEngine:
    """Samples with vLLM in this process, on its GPU; tokens are as repeatable as vLLM's seeded sampling is."""

    def __init__(
        self,
        model: str,
        *,
        dtype: str,
        lora: AdapterConfig,
        generation: GenerationConfig,
        options: dict[str, Any] | None = None,
        vllm: Any = None,
    ):
        """Start vLLM, with `options` for its `LLM`. Raises RunFailure when it is missing or cannot serve the LoRA."""
        self.vllm = vllm or import_vllm()
        self.lora = lora
        self.generation = generation
        self.llm = self.vllm.LLM(
            model=model,
            dtype=dtype,
            enable_lora=True,
            max_loras=1,
            max_lora_rank=served_rank(lora.r),
            # Log-probs after the temperature, as the learner's are; nothing else is applied to the logits.
            logprobs_mode="processed_logprobs",
            **(options or {}),
        )
        self._folder = Path(tempfile.mkdtemp(prefix="heed-adapters-"))
        self._request: Any = None
        self._number = 0

    def load_adapter(self, payload: bytes) -> tuple[str, ...]:
        """Serve a serialized adapter from now on, under a new name and number, because vLLM caches by them."""
        self._number += 1
        folder = self._folder / f"version-{self._number}"
        tensors = load(payload)
        folder.mkdir()
        save_file({peft_name(name): tensor for name, tensor in tensors.items()}, folder / ADAPTER)
        LoraConfig(
            r=self.lora.r,
            lora_alpha=self.lora.alpha,
            use_rslora=self.lora.use_rslora,
            target_modules=sorted({name.split(".lora_")[0].rpartition(".")[2] for name in tensors}),
            task_type="CAUSAL_LM",
        ).save_pretrained(str(folder))
        if self._request is not None:
            shutil.rmtree(self._request.lora_path)  # vLLM itself unloads it: it has room for one adapter
        self._request = self.vllm.lora.request.LoRARequest(folder.name, self._number, str(folder))
        return ()

    def active_tensors(self) -> dict[str, Tensor]:
        """Return the tensors that vLLM was given; what it really samples with shows in the probe text's log-probs."""
        if self._request is None:
            return {}
        tensors = load_file(Path(self._request.lora_path) / ADAPTER)
        return {live_name(name): tensor for name, tensor in tensors.items()}

    def sample(self, request: RolloutRequest) -> list[Sample]:
        """Return one sample a row, groups in order, each group's samples in order; every row has its own seed."""
        rows = [
            (prompt, row_seed(request, request.position + group, sample))
            for group, prompt in enumerate(request.prompts)
            for sample in range(request.num_generations)
        ]
        outputs = self._generate(
            [prompt for prompt, _ in rows],
            [
                self.vllm.SamplingParams(
                    temperature=self.generation.temperature,
                    max_tokens=self.generation.max_completion_length,
                    logprobs=0,
                    seed=seed,
                    detokenize=False,
                )
                for _, seed in rows
            ],
        )
        return [
            _sample(prompt, output.outputs[0], request.version)
            for (prompt, _), output in zip(rows, outputs, strict=True)
        ]

    def token_logprobs(self, token_ids: Sequence[int]) -> list[float]:
        """Return the log-probs, at temperature 1, of a text's tokens after the first."""
        parameters = self.vllm.SamplingParams(temperature=1.0, max_tokens=1, prompt_logprobs=0, detokenize=False)
        (output,) = self._generate([tuple(token_ids)], [parameters])
        return [
            logprobs[token].logprob for token, logprobs in zip(token_ids[1:], output.prompt_logprobs[1:], strict=True)
        ]

    def _generate(self, prompts: list[tuple[int, ...]], parameters: list[Any]) -> list[Any]:
        return self.llm.generate(
            [{"prompt_token_ids": list(prompt)} for prompt in prompts],
            parameters,
            lora_request=self._request,
            use_tqdm=False,
        )


def worker_engine(setup: EngineSetup) -> VllmEngine:
    """Build the engine of a worker, with a model of its own."""
    return VllmEngine(
        model_path(setup.model.name), dtype=setup.model.dtype, lora=setup.lora, generation=setup.generation
    )


def import_vllm() -> Any:
    """Import vLLM. Raises RunFailure when it cannot be imported."""
    vllm = import_package("vllm")
    importlib.import_module("vllm.lora.request")
    return vllm


def served_rank(rank: int) -> int:
    """Return the smallest of vLLM's bounds for a LoRA rank. Raises RunFailure above the largest."""
    for bound in LORA_RANKS:
        if rank <= bound:
            return bound
    raise RunFailure(f"lora.r={rank} is more than vLLM serves; set lora.r to at most {LORA_RANKS[-1]}")


def peft_name(name: str) -> str:
    """Return a live tensor's name as PEFT writes it into an adapter's file.

    Example:
        "model.layers.0.up_proj.lora_A.default.weight" -> "base_model.model.model.layers.0.up_proj.lora_A.weight"
    """
    return f"base_model.model.{name.replace('.default.', '.')}"


def live_name(name: str) -> str:
    """Invert `peft_name`."""
    return name.removeprefix("base_model.model.").replace(".weight", ".default.weight")


def row_seed(request: RolloutRequest, position: int, sample: int) -> int:
    """Return a seed for one row, from the same four numbers that seed the transformers engine's rows."""
    key = f"{request.seed} {position} {sample} {request.version}".encode()
    return int.from_bytes(hashlib.sha256(key).digest()[:4], "big")


def _sample(prompt: tuple[int, ...], completion: Any, version: int) -> Sample:
    return Sample(
        prompt_ids=prompt,
        completion_ids=tuple(completion.token_ids),
        logprobs=tuple(
            logprobs[token].logprob for token, logprobs in zip(completion.token_ids, completion.logprobs, strict=True)
        ),
        finish_reason="length" if completion.finish_reason == "length" else "stop",
        version=version,
    )
