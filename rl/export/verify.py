"""Export: prove that a run's adapter loads elsewhere and says what the trained model said."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, set_peft_model_state_dict
from rich.console import Console
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from rl.common.errors import UserError
from rl.config.load import load_run_config
from rl.config.root import Config
from rl.models.load import load_model, load_tokenizer, model_path
from rl.models.lora import lora_config
from rl.routing.bundle import bundle_of, check_digests, read_description
from rl.routing.files import load_adapters
from rl.routing.mix import MIX
from rl.routing.route import Route, add_adapters
from rl.runs.checkpoint import resume_point

TOLERANCE = 1e-5
"""Of the largest logit: a real model's reach 30, where one rounding of float32 is 2e-6."""
PROBE_TEXT = "Explain in one sentence why the sky is blue."
VLLM_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""Values of vLLM's `max_lora_rank`; an adapter fits the smallest one at or above its rank."""


def export_run(run: Path) -> dict[str, Any]:
    """Re-load `adapters/default` in a fresh process with plain PEFT and compare its logits with the trained model's.

    Both sides re-load base and adapter in float32. Returns the figures; raises ValueError, naming what is wrong, when
    the run has no adapter, a file is damaged, logits differ by more than 1e-5 of the largest, or vLLM would refuse it.
    """
    config = load_run_config(run)
    if config.routing.adapters:
        return export_bundle(run, config)
    adapter = run / "adapters" / "default"
    check_files(adapter)
    rank = check_vllm(read_settings(adapter / "adapter_config.json"))
    ids = load_tokenizer(config.model.name)(PROBE_TEXT, return_tensors="pt")["input_ids"]
    trained = trained_logits(config.model.name, resume_point(run), ids)
    reloaded = fresh_logits(config.model.name, adapter, ids)
    gap = largest_gap(trained, reloaded)
    if not gap <= TOLERANCE:
        raise UserError(
            f"{adapter} does not reproduce the trained model: logits differ by {gap:.2e} of the largest, allowed "
            f"{TOLERANCE:.0e}; train again, or resume={run} to write the adapter anew"
        )
    return {"adapter": str(adapter), "max_logit_gap": gap, "vllm_max_lora_rank": rank}


def export_bundle(run: Path, config: Config) -> dict[str, Any]:
    """The same for each adapter of a bundle and its mix, and for the routed model as `heed` loads it elsewhere.

    The trained side is the newest checkpoint under gates that open one adapter, the mean gates, and the router's own.
    """
    bundle = bundle_of(run)
    description = read_description(bundle)
    check_digests(bundle, description)
    tokenizer = load_tokenizer(config.model.name)
    ids = tokenizer(PROBE_TEXT, return_tensors="pt")["input_ids"]
    trained = _trained_route(config, resume_point(run))
    gates = {name: torch.eye(len(trained.names))[[index]] for index, name in enumerate(trained.names)}
    gates[MIX] = torch.tensor([[description["mean_gates"][name] for name in trained.names]])
    gaps, ranks = {}, []
    for name, wanted in gates.items():
        adapter = bundle / "adapters" / name
        check_files(adapter)
        ranks.append(check_vllm(read_settings(adapter / "adapter_config.json")))
        gaps[name] = largest_gap(routed_logits(trained, wanted, ids), fresh_logits(config.model.name, adapter, ids))
    routed = fresh_routed_logits(bundle, ids, trained.settings.adapters[0])
    own = trained.gates(ids.tolist(), [trained.settings.adapters[0]])
    gaps["routed"] = largest_gap(routed_logits(trained, own, ids), routed)
    if wrong := {name: gap for name, gap in gaps.items() if not gap <= TOLERANCE}:
        raise UserError(f"{bundle} does not reproduce the trained model: logits differ by {wrong}; resume={run}")
    return {"adapter": str(bundle), "max_logit_gap": max(gaps.values()), "gaps": gaps, "vllm_max_lora_rank": max(ranks)}


def largest_gap(here: Tensor, there: Tensor) -> float:
    """The largest difference, as a share of the largest logit."""
    return ((here - there).abs().max() / here.abs().max()).item()


def _trained_route(config: Config, checkpoint: Path) -> Route:
    model = get_peft_model(load_model(config.model.name, dtype=torch.float32), lora_config(config.lora))
    assert isinstance(model, PeftModel)
    route = add_adapters(model, config.lora, config.routing)
    load_adapters(model, checkpoint)
    model.eval()
    return route


@torch.no_grad()
def routed_logits(route: Route, gates: Tensor, ids: Tensor) -> Tensor:
    with route.applied(gates):
        return route.policy(input_ids=ids).logits


def check_files(adapter: Path) -> None:
    """Raise UserError unless the adapter's files are there, readable and finite."""
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (adapter / name).is_file():
            raise UserError(f"{adapter} has no {name}: the run has not finished; continue it with resume=")
    read_tensors(adapter / "adapter_model.safetensors")


def read_settings(path: Path) -> dict[str, Any]:
    """The adapter's own config. Raises UserError when it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); restore it, or resume the run to write it anew") from error


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file. Raises UserError when it is damaged or holds a non-finite or only zeros."""
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise UserError(f"{path} is damaged ({error}); restore it, or resume the run to write it anew") from error
    if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
        raise UserError(f"{path} holds values that are not finite; the training diverged")
    if not any(tensor.any() for name, tensor in tensors.items() if "lora_B" in name):
        raise UserError(f"{path}: every lora_B is zero, so the adapter changes nothing; it was never trained")
    return tensors


def check_vllm(settings: dict[str, Any]) -> int:
    """The `max_lora_rank` that vLLM needs for this adapter; ValueError for what vLLM does not serve."""
    refused = {
        "use_dora": bool(settings.get("use_dora")),
        "bias": settings.get("bias", "none") != "none",
        "modules_to_save": bool(settings.get("modules_to_save")),
        "target_modules": bool({"lm_head", "embed_tokens"} & set(settings.get("target_modules") or ())),
        "r": settings["r"] > VLLM_RANKS[-1],
    }
    if any(refused.values()):
        names = ", ".join(f"{name}={settings[name]!r}" for name, bad in refused.items() if bad)
        raise UserError(f"vLLM cannot serve this adapter: {names}; train a plain LoRA of rank <= {VLLM_RANKS[-1]}")
    return next(bound for bound in VLLM_RANKS if bound >= settings["r"])


@torch.no_grad()
def trained_logits(base: str, checkpoint: Path, ids: Tensor) -> Tensor:
    """Logits of the base model with the newest checkpoint's adapter, attached here."""
    settings = LoraConfig.from_pretrained(str(checkpoint))
    settings.base_model_name_or_path = base  # a checkpoint names the folder that its base was loaded from
    model = get_peft_model(load_model(base, dtype=torch.float32), settings)
    set_peft_model_state_dict(model, read_tensors(checkpoint / "adapter_model.safetensors"))
    return model.eval()(input_ids=ids).logits


def fresh_logits(base: str, adapter: Path, ids: Tensor) -> Tensor:
    """Logits of the exported adapter in a process that knows transformers and PEFT only."""
    script = Path(__file__).with_name("plain_peft.py")
    return _elsewhere([str(script), model_path(base), str(adapter.resolve())], ids, what=f"plain PEFT: {adapter}")


def fresh_routed_logits(bundle: Path, ids: Tensor, task: str) -> Tensor:
    """Logits of a bundle that a fresh process loads and routes."""
    return _elsewhere(
        ["-m", "rl.export.fresh_bundle", str(bundle.resolve()), task], ids, what=f"a fresh process: {bundle}"
    )


def _elsewhere(program: list[str], ids: Tensor, *, what: str) -> Tensor:
    """What a fresh Python writes for `ids`; ValueError, with its last words, when it fails."""
    with tempfile.TemporaryDirectory() as scratch:
        tokens, logits = Path(scratch, "tokens.safetensors"), Path(scratch, "logits.safetensors")
        save_file({"ids": ids}, tokens)
        command = [sys.executable, *program, str(tokens), str(logits)]
        outcome = subprocess.run(command, cwd=scratch, capture_output=True, text=True)
        if outcome.returncode != 0:
            raise UserError(f"{what} could not be loaded:\n{outcome.stderr.strip().splitlines()[-1]}")
        return load_file(logits)["logits"]


def show_export(result: dict[str, Any]) -> None:
    """Print what `export_run` verified."""
    Console().print(
        f"{result['adapter']} re-loads with plain PEFT in a fresh process: largest logit difference "
        f"{result['max_logit_gap']:.1e} of the largest logit (allowed {TOLERANCE:.0e}).\n"
        f"vLLM accepts it with --enable-lora --max-lora-rank {result['vllm_max_lora_rank']}."
    )
