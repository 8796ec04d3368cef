"""The vLLM engine: samples units with vLLM, one LoRA name per policy version."""

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
from rl.rollouts.types import RolloutRequest, Sample

# Written against vLLM 0.30: `LLM`, `SamplingParams` and `LoRARequest` as its documentation has them. TRL 1.16 admits
# 0.22 to 0.31, where they are the same.

LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""Upper bounds of the rank that vLLM can be started with."""
ADAPTER = "adapter_model.safetensors"


class VllmEngine:
    """vLLM in this process, on its GPU. A unit's tokens are as repeatable as vLLM's seeded sampling is."""

    def __init__(
        self,
        model: str,
        *,
        dtype: str,
        lora: AdapterConfig,
        temperature: float,
        max_completion_length: int,
        options: dict[str, Any] | None = None,
        vllm: Any = None,
    ):
        """`options` go to vLLM's `LLM` as they are. Raises RunFailure when vLLM is missing or cannot serve the LoRA."""
        self.vllm = vllm or import_vllm()
        self.lora = lora
        self.temperature = temperature
        self.max_completion_length = max_completion_length
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
        """Serve the packed adapter from now on, under a name and number that no other had: vLLM caches by them."""
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
            shutil.rmtree(self._request.lora_path)  # vLLM itself makes room: it holds one adapter at a time
        self._request = self.vllm.lora.request.LoRARequest(folder.name, self._number, str(folder))
        return ()

    def active(self) -> dict[str, Tensor]:
        """The tensors that vLLM was told to load; what it really samples with shows in the probe's log-probs."""
        if self._request is None:
            return {}
        tensors = load_file(Path(self._request.lora_path) / ADAPTER)
        return {live_name(name): tensor for name, tensor in tensors.items()}

    def sample(self, unit: RolloutRequest) -> list[Sample]:
        """One sample a row, groups in order, each group's samples in order; every row has a seed of its own."""
        rows = [
            (prompt, row_seed(unit, unit.position + group, sample))
            for group, prompt in enumerate(unit.prompts)
            for sample in range(unit.num_generations)
        ]
        outputs = self._generate(
            [prompt for prompt, _ in rows],
            [
                self.vllm.SamplingParams(
                    temperature=self.temperature,
                    max_tokens=self.max_completion_length,
                    logprobs=0,
                    seed=seed,
                    detokenize=False,
                )
                for _, seed in rows
            ],
        )
        return [
            _sample(prompt, output.outputs[0], unit.version) for (prompt, _), output in zip(rows, outputs, strict=True)
        ]

    def token_logprobs(self, token_ids: Sequence[int]) -> list[float]:
        """Log-probs, at temperature 1, of a text's tokens after the first."""
        parameters = self.vllm.SamplingParams(temperature=1.0, max_tokens=1, prompt_logprobs=0, detokenize=False)
        (output,) = self._generate([tuple(token_ids)], [parameters])
        return [found[token].logprob for token, found in zip(token_ids[1:], output.prompt_logprobs[1:], strict=True)]

    def _generate(self, prompts: list[tuple[int, ...]], parameters: list[Any]) -> list[Any]:
        return self.llm.generate(
            [{"prompt_token_ids": list(prompt)} for prompt in prompts],
            parameters,
            lora_request=self._request,
            use_tqdm=False,
        )


def import_vllm() -> Any:
    """The installed vLLM. Raises RunFailure when there is none."""
    try:
        vllm = importlib.import_module("vllm")
        importlib.import_module("vllm.lora.request")
    except ImportError as error:
        raise RunFailure(
            f"rollouts.engine=vllm needs vLLM, which cannot be imported here ({error}); install it with "
            "`pip install heed[vllm]` on a machine with a GPU, or set rollouts.engine=transformers"
        ) from error
    return vllm


def served_rank(rank: int) -> int:
    """The smallest bound of vLLM's that a LoRA rank fits under. Raises RunFailure above the largest."""
    for bound in LORA_RANKS:
        if rank <= bound:
            return bound
    raise RunFailure(f"lora.r={rank} is more than vLLM serves; set lora.r to at most {LORA_RANKS[-1]}")


def peft_name(name: str) -> str:
    """A live tensor's name as PEFT writes it into an adapter's file.

    Example:
        "model.layers.0.up_proj.lora_A.default.weight" -> "base_model.model.model.layers.0.up_proj.lora_A.weight"
    """
    return f"base_model.model.{name.replace('.default.', '.')}"


def live_name(name: str) -> str:
    """The inverse of `peft_name`."""
    return name.removeprefix("base_model.model.").replace(".weight", ".default.weight")


def row_seed(unit: RolloutRequest, position: int, sample: int) -> int:
    """A seed for one row, from the same four numbers that the transformers engine's rows draw from."""
    key = f"{unit.seed} {position} {sample} {unit.version}".encode()
    return int.from_bytes(hashlib.sha256(key).digest()[:4], "big")


def _sample(prompt: tuple[int, ...], completion: Any, version: int) -> Sample:
    return Sample(
        prompt_ids=prompt,
        completion_ids=tuple(completion.token_ids),
        logprobs=tuple(
            found[token].logprob for token, found in zip(completion.token_ids, completion.logprobs, strict=True)
        ),
        finish_reason="length" if completion.finish_reason == "length" else "stop",
        version=version,
    )
