"""Check by vLLM: it loads what was exported, and gives a text the log-probs that plain PEFT gives it."""

import json
import uuid
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rl.common.errors import RunFailure, UserError
from rl.config.engines import ENGINES
from rl.config.load import load_run_config
from rl.config.routing import MIX
from rl.export.verify import PROBE_TEXT, plain_peft_logits, run_program
from rl.models.load import load_tokenizer, model_path
from rl.rollouts.vllm_http import ServerLost, VllmServer
from rl.routing.bundle import bundle_of

HERE = "vllm"
"""The check that starts vLLM on this machine."""
TOLERANCE = 1e-4
"""Of a log-prob, in nats: both sides compute in float32, with kernels of their own."""
SERVER_SECONDS = 120.0


def check_with_vllm(run: Path, check: str, rank: int) -> dict[str, Any]:
    """Load each exported adapter into vLLM, started here or behind the address `check`, and compare its log-probs.

    Raises UserError, naming the adapter, when vLLM cannot load one, samples without it, or differs by more than 1e-4.
    """
    require_check(check)
    config = load_run_config(run)
    names = (*config.routing.adapters, MIX) if config.routing.adapters else ("default",)
    folder = (bundle_of(run) if config.routing.adapters else run) / "adapters"
    adapters = {name: (folder / name).resolve() for name in names}
    ids = load_tokenizer(config.model.name)(PROBE_TEXT, return_tensors="pt")["input_ids"]
    if check == HERE:
        served = vllm_logprobs(config.model.name, adapters, ids, rank)
    else:
        served = server_logprobs(check, adapters, ids)
    gaps = {}
    for name, adapter in adapters.items():
        plain = next_logprobs(plain_peft_logits(config.model.name, adapter, ids), ids)
        gaps[name] = (served[name] - plain).abs().max().item()
        if not gaps[name] <= TOLERANCE:
            inert = "; it samples without it" if torch.equal(served[name], served[""]) else ""
            raise UserError(
                f"{adapter}: vLLM's log-probs differ from plain PEFT's by {gaps[name]:.2g}, allowed are {TOLERANCE:.0e}"
                f"{inert}"
            )
    return {"vllm": check, "vllm_max_logprob_gap": max(gaps.values()), "vllm_logprob_gaps": gaps}


def require_check(check: str) -> None:
    """Raise UserError unless `check` is `vllm`, which can be imported here, or an address."""
    if check.startswith(("http://", "https://")):
        return
    if check != HERE:
        raise UserError(
            f"--check {check} is unknown; expected {HERE}, or the address of a vLLM server, http://HOST:PORT"
        )
    if find_spec("vllm") is None:
        raise UserError(
            f"--check {HERE} starts vLLM, which is not installed here; install it with {ENGINES['vllm'].install}, or "
            "give the address of a server that runs elsewhere, as in --check http://127.0.0.1:8000"
        )


def next_logprobs(logits: Tensor, ids: Tensor) -> Tensor:
    """Return the log-probs of a text's tokens after the first."""
    return torch.log_softmax(logits[0, :-1], dim=-1).gather(1, ids[0, 1:, None]).squeeze(1)


def vllm_logprobs(base: str, adapters: dict[str, Path], ids: Tensor, rank: int) -> dict[str, Tensor]:
    """Compute the text's log-probs with each adapter, under the empty name with none, by vLLM in a fresh process."""
    program = Path(__file__).with_name("vllm_logprobs.py")
    folders = json.dumps({name: str(folder) for name, folder in adapters.items()})
    return run_program([str(program), model_path(base), str(rank), folders], ids, subject="vLLM with the adapters")


def server_logprobs(url: str, adapters: dict[str, Path], ids: Tensor) -> dict[str, Tensor]:
    """Compute the same by a server, which loads the adapters under names never used before, and unloads them."""
    server, text = VllmServer(url.rstrip("/").removesuffix("/v1"), time_limit=SERVER_SECONDS), ids[0].tolist()
    try:
        logprobs = {"": server.token_logprobs(server.base_model().name, text)}
        for name, folder in adapters.items():
            served_name = f"heed-check-{uuid.uuid4().hex[:12]}"
            server.load_adapter(served_name, folder)
            try:
                logprobs[name] = server.token_logprobs(served_name, text)
            finally:
                server.unload_adapter(served_name)
    except (RunFailure, ServerLost) as error:
        raise UserError(str(error)) from error
    return {name: torch.tensor(values) for name, values in logprobs.items()}


def show_check(result: dict[str, Any]) -> None:
    """Print what `check_with_vllm` found."""
    where = "in a fresh process" if result["vllm"] == HERE else f"at {result['vllm']}"
    print(
        f"vLLM {where} loads it and gives plain PEFT's log-probs: largest difference "
        f"{result['vllm_max_logprob_gap']:.1e} (allowed {TOLERANCE:.0e})."
    )
