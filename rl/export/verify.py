"""Verification of an export: the adapter is re-loaded in a fresh process and its logits are compared with the run's."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from torch import Tensor

from rl.common.errors import UserError
from rl.config.load import load_run_config
from rl.config.root import Config
from rl.config.routing import MIX
from rl.export.adapter_files import check_files, check_names, check_vllm, read_trained
from rl.models.load import load_model, load_tokenizer, model_path
from rl.models.lora import lora_config
from rl.models.saved_adapter import adapted, read_settings
from rl.routing.bundle import bundle_of, check_digests, read_description
from rl.routing.files import load_adapters
from rl.routing.route import Route, add_adapters
from rl.runs.checkpoint import resume_point
from rl.runs.resume import resume_command

TOLERANCE = 1e-5
"""As a share of the largest logit: those of a real model reach 30, where one rounding of float32 is 2e-6."""
PROBE_TEXT = "Explain in one sentence why the sky is blue."


def export_run(run: Path) -> dict[str, Any]:
    """Re-load `adapters/default` in a fresh process with plain PEFT and compare its logits with the trained model's.

    Both sides load base and adapter in float32 on the CPU. Raises UserError, naming what is wrong, when the run has no
    adapter, a file is damaged, logits differ by more than 1e-5 of the largest, or vLLM would refuse the adapter.
    """
    config = load_run_config(run)
    if config.routing.adapters:
        return export_bundle(run, config)
    adapter = run / "adapters" / "default"
    check_files(adapter)
    check_names(adapter, config.model.name)
    settings = read_settings(adapter)
    rank = None if settings.get("use_dora") else check_vllm(settings)
    ids = load_tokenizer(config.model.name)(PROBE_TEXT, return_tensors="pt")["input_ids"]
    trained = trained_logits(config.model.name, resume_point(run), ids)
    reloaded = plain_peft_logits(config.model.name, adapter, ids)
    gap = largest_gap(trained, reloaded)
    if not gap <= TOLERANCE:
        raise UserError(
            f"{adapter} does not reproduce the trained model: logits differ by {gap:.2e} of the largest, allowed "
            f"{TOLERANCE:.0e}; train again, or write the adapter anew with {resume_command(run)}"
        )
    return {"adapter": str(adapter), "max_logit_gap": gap, "vllm_max_lora_rank": rank}


def export_bundle(run: Path, config: Config) -> dict[str, Any]:
    """Verify each adapter of a bundle, their mix, and the routed model as another process loads it.

    The trained side is the newest checkpoint under gates that open one adapter, the mean gates, and the router's gates.
    """
    bundle = bundle_of(run)
    description = read_description(bundle)
    check_digests(bundle, description)
    ids = load_tokenizer(config.model.name)(PROBE_TEXT, return_tensors="pt")["input_ids"]
    trained = _trained_route(config, resume_point(run))
    gates = {name: torch.eye(len(trained.names))[[index]] for index, name in enumerate(trained.names)}
    gates[MIX] = torch.tensor([[description["mean_gates"][name] for name in trained.names]])
    gaps, ranks = {}, []
    for name, adapter_gates in gates.items():
        adapter = bundle / "adapters" / name
        check_files(adapter)
        check_names(adapter, config.model.name)
        ranks.append(check_vllm(read_settings(adapter)))
        reloaded = plain_peft_logits(config.model.name, adapter, ids)
        gaps[name] = largest_gap(routed_logits(trained, adapter_gates, ids), reloaded)
    task = config.routing.adapters[0]
    routed = routed_logits(trained, trained.gates(ids.tolist(), [task]), ids)
    gaps["routed"] = largest_gap(routed, fresh_bundle_logits(bundle, ids, task))
    if wrong := {name: gap for name, gap in gaps.items() if not gap <= TOLERANCE}:
        raise UserError(
            f"{bundle} does not reproduce the trained model: logits differ by {wrong}; write the bundle anew with "
            f"{resume_command(run)}"
        )
    return {"adapter": str(bundle), "max_logit_gap": max(gaps.values()), "gaps": gaps, "vllm_max_lora_rank": max(ranks)}


def largest_gap(trained: Tensor, reloaded: Tensor) -> float:
    """Return the largest difference of two sets of logits, as a share of the largest trained logit."""
    return ((trained - reloaded).abs().max() / trained.abs().max()).item()


@torch.no_grad()
def trained_logits(base: str, checkpoint: Path, ids: Tensor) -> Tensor:
    """Compute logits of the base model with a checkpoint's adapter, in this process."""
    model = adapted(load_model(base, device="cpu"), checkpoint, read_trained(checkpoint))
    return model(input_ids=ids).logits


def _trained_route(config: Config, checkpoint: Path) -> Route:
    model = get_peft_model(load_model(config.model.name, device="cpu"), lora_config(config.lora))
    assert isinstance(model, PeftModel)
    route = add_adapters(model, config.lora, config.routing)
    load_adapters(model, checkpoint)
    model.eval()
    return route


@torch.no_grad()
def routed_logits(route: Route, gates: Tensor, ids: Tensor) -> Tensor:
    with route.applied(gates):
        return route.policy(input_ids=ids).logits


def plain_peft_logits(base: str, adapter: Path, ids: Tensor) -> Tensor:
    """Compute logits of an exported adapter in a process that imports transformers and PEFT, but nothing of ours."""
    script = Path(__file__).with_name("plain_peft.py")
    program = [str(script), model_path(base), str(adapter.resolve())]
    return run_program(program, ids, subject=f"plain PEFT: {adapter}")["logits"]


def fresh_bundle_logits(bundle: Path, ids: Tensor, task: str) -> Tensor:
    """Compute logits of a bundle that a fresh process loads and routes."""
    program = ["-m", "rl.export.fresh_bundle", str(bundle.resolve()), task]
    return run_program(program, ids, subject=f"a fresh process: {bundle}")["logits"]


def run_program(program: list[str], ids: Tensor, *, subject: str) -> dict[str, Tensor]:
    """Run a Python program that writes tensors for `ids`. Raises UserError with its last line when it fails."""
    with tempfile.TemporaryDirectory() as scratch:
        tokens, results = Path(scratch, "tokens.safetensors"), Path(scratch, "results.safetensors")
        save_file({"ids": ids}, tokens)
        # The working folder stays, for models by relative path; -P keeps it from being searched for modules.
        command = [sys.executable, "-P", *program, str(tokens), str(results)]
        process = subprocess.run(command, capture_output=True, text=True)
        if process.returncode != 0:
            last_line = (process.stderr.strip().splitlines() or [f"it ended with code {process.returncode}"])[-1]
            raise UserError(f"{subject} could not be loaded:\n{last_line}")
        return load_file(results)


def show_export(result: dict[str, Any]) -> None:
    """Print what `export_run` verified."""
    print(
        f"{result['adapter']} re-loads with plain PEFT in a fresh process: largest logit difference "
        f"{result['max_logit_gap']:.1e} of the largest logit (allowed {TOLERANCE:.0e})."
    )
    if result["vllm_max_lora_rank"] is None:
        print("vLLM serves no DoRA adapter: merge it into its base model (heed export RUN --merge default -o MODEL).")
    else:
        print(f"vLLM accepts it with --enable-lora --max-lora-rank {result['vllm_max_lora_rank']}.")
