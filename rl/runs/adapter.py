"""Trained adapter: saved in PEFT's layout, with a card of its data, settings and held-out result."""

import json
from pathlib import Path
from typing import Any

from peft import PeftModel

from rl.common.atomic import atomic_folder, write_text
from rl.config.load import resolved_yaml
from rl.config.model import ModelConfig
from rl.config.root import Config
from rl.models.load import is_builtin

WIDENED = (
    "The base weights are 4-bit values (GGUF Q4_1, embedding Q8_0) widened to floating point: "
    "its scores are not those that the model's authors published."
)


def save_adapter(model: PeftModel, folder: Path, config: Config, summary: dict[str, Any]) -> Path:
    """Write `adapters/default/` as a whole and return it; an older one is replaced."""
    adapter = folder / "adapters" / "default"
    model.peft_config["default"].base_model_name_or_path = config.model.name
    with atomic_folder(adapter) as temporary:
        model.save_pretrained(str(temporary), save_embedding_layers=False)
        write_text(temporary / "README.md", model_card(config, summary))
    return adapter


def model_card(config: Config, summary: dict[str, Any]) -> str:
    """Return the adapter's README: base model, data, held-out result, settings and metrics."""
    name = config.model.name
    header = [f"base_model: {name}", "library_name: peft", "pipeline_tag: text-generation"]
    header.append(f"tags: [heed, lora, {config.algorithm}]")
    source = config.data.path or (
        f"Heed's instruction prompts, seed {config.data.seed}; "
        "held-out problems share no base instruction with the training problems"
    )
    parts = [
        "\n".join(["---", *header, "---", "", f"# LoRA adapter for {name}"]),
        f"Trained by Heed with {config.algorithm.upper()}, credit rule `{config.credit.rule}`, "
        f"{config.trainer.max_steps} optimizer steps.",
        f"**Base model.** {name}. {WIDENED if is_builtin(name) else ''}".strip(),
        *_prompt_sentences(config.model),
        f"**Data.** {source}.",
        f"**Held-out result.** {held_out_sentence(summary)}",
        f"## Settings\n\n```yaml\n{resolved_yaml(config)}```",
        f"## Metrics\n\n```json\n{json.dumps(summary, indent=2)}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _prompt_sentences(model: ModelConfig) -> list[str]:
    """Return what whoever serves a thinking model must know, where the run set it."""
    sentences = []
    if model.chat_template_kwargs:
        sentences.append(
            f"**Prompts.** Rendered with `chat_template_kwargs` {json.dumps(model.chat_template_kwargs)}; "
            "serve the adapter with the same."
        )
    if model.reasoning is not None:
        sentences.append("**Thoughts.** The answer behind a completion's thought was judged, not the thought.")
    return sentences


def held_out_sentence(summary: dict[str, Any]) -> str:
    """Return one sentence with the pass rates before and after training, and the interval of the gain."""
    if "after" not in summary:
        return "Not evaluated."
    if "gain" not in summary:
        return "No constraint of the held-out problems applied to the answers, so that there is no pass rate."
    before, after, gain = summary["before"]["pass_rate"], summary["after"]["pass_rate"], summary["gain"]
    return (
        f"{before:.3f} -> {after:.3f} of the constraints satisfied on {gain['num_problems']} held-out problems; "
        f"gain {gain['mean']:+.3f}, 95 % interval [{gain['low']:+.3f}, {gain['high']:+.3f}] (paired bootstrap)."
    )
