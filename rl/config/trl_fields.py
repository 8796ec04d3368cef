"""TRL's fields: which ones the installed version has, read from its source, and which ones Heed sets."""

import ast
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from rl.common.errors import UserError

CONFIG_SOURCES = {"grpo": "trainer/grpo_config.py", "dpo": "trainer/dpo_config.py"}
BASE_SOURCES = (("trl", "trainer/base_config.py"), ("transformers", "training_args.py"))
"""Source files of GRPOConfig, DPOConfig and their two base classes."""

_ROLLOUTS = "Heed samples the completions itself"
_UNFILTERED = "completions are sampled from the policy's unfiltered distribution, whose log-probs the loss needs"
_EVALUATION = "Heed evaluates on held-out problems itself; set evaluation.every"

DECIDED: Mapping[str, str] = {
    "activation_checkpointing": "set trainer.gradient_checkpointing",
    "auto_find_batch_size": "a smaller batch would split groups; set trainer.per_device_train_batch_size",
    "bf16": "set model.dtype",
    "cache_implementation": _ROLLOUTS,
    "chat_template_kwargs": "set model.chat_template_kwargs",
    "data_seed": "set trainer.seed",
    "dataloader_pin_memory": "it follows from the hardware",
    "ddp_timeout": "it follows from rollouts.tries, time_limit and start_limit",
    "disable_tqdm": "Heed shows its own progress bar",
    "do_eval": _EVALUATION,
    "eval_on_start": _EVALUATION,
    "eval_steps": _EVALUATION,
    "eval_strategy": _EVALUATION,
    "fp16": "set model.dtype",
    "generation_batch_size": "set trainer.steps_per_generation",
    "generation_kwargs": _ROLLOUTS,
    "load_best_model_at_end": "a result is the last checkpoint, never the best one seen",
    "logging_nan_inf_filter": "a loss that is not finite stops the run",
    "min_p": _UNFILTERED,
    "model_init_kwargs": "the model is loaded by Heed; set model.name and model.dtype",
    "output_dir": "set run.folder",
    "pad_token": "it is the tokenizer's",
    "padding_free": "TRL has disabled it",
    "project": "set tracking.project",
    "remove_unused_columns": "rewards read every column",
    "repetition_penalty": _UNFILTERED,
    "report_to": "set tracking.report_to",
    "resume_from_checkpoint": "set resume",
    "reward_weights": "set the weights under rewards",
    "run_name": "set run.name",
    "save_only_model": "a run must be able to resume",
    "save_strategy": "set trainer.save_steps",
    "sync_ref_model": "the reference of an adapter is its base model",
    "top_k": _UNFILTERED,
    "top_p": _UNFILTERED,
    "trust_remote_code": "not supported",
    "use_adaptive_entropy": "TRL does not save its state in the checkpoint, so a resumed run would differ",
    "use_cpu": "it follows from the hardware",
    "use_transformers_continuous_batching": _ROLLOUTS,
    "use_transformers_paged": _ROLLOUTS,
    "use_vllm": _ROLLOUTS,
}
"""TRL field -> the key of ours that sets it, or why it cannot be set."""
REMOVED: Mapping[str, str] = {"max_prompt_length": "TRL has removed it, and no prompt is cut"}
"""Field of an earlier TRL -> what became of it."""


@cache
def trl_fields(algorithm: str = "grpo") -> frozenset[str]:
    """Return the fields of the installed GRPOConfig or DPOConfig; imports neither TRL nor transformers."""
    sources = (("trl", CONFIG_SOURCES[algorithm]), *BASE_SOURCES)
    return frozenset(name for package, path in sources for name in _fields(_source(package, path)))


def field_errors(block: Mapping[str, object], *, algorithm: str, stated: Mapping[str, str]) -> list[str]:
    """Return one sentence for each key that a `trl:` block may not have; `stated` maps a field to our key for it."""
    return [f"trl.{name}: {reason}" for name in block if (reason := _refusal(name, algorithm, stated))]


def _refusal(name: str, algorithm: str, stated: Mapping[str, str]) -> str | None:
    if name in stated:
        return f"a key is set in one place only; set {stated[name]}"
    if reason := field_refusal(name):
        return reason
    fields = trl_fields(algorithm)
    if name in fields:
        return None
    keys = {field: stated.get(field, f"trl.{field}") for field in fields if not field_refusal(field)}
    near = get_close_matches(name, keys, n=1)
    return f"TRL's {algorithm.upper()}Config has no such field" + (f"; did you mean {keys[near[0]]}?" if near else "")


def field_refusal(name: str) -> str | None:
    """Return why a field of TRL's cannot be set, or None when it can or TRL has none of the name."""
    if name in DECIDED:
        return f"decided by Heed: {DECIDED[name]}"
    return f"decided by Heed: {_ROLLOUTS}" if name.startswith("vllm_") else REMOVED.get(name)


def _source(package: str, path: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"{package} is not installed, so the trl: block cannot be checked; run `make setup`")
    return Path(spec.submodule_search_locations[0], path)


def _fields(source: Path) -> Iterator[str]:
    """Yield the annotated class attributes, which are the dataclass fields."""
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            yield from (
                line.target.id
                for line in node.body
                if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
            )
