"""HTTP interface of vLLM: the base model, adapters and completions of a server that the user has started."""

import asyncio
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from data.endpoint import KEY_VARIABLE
from rl.common.errors import RunFailure

# Run with vLLM 0.30.

UNFILTERED: dict[str, Any] = {
    # All stated: the server takes what a request leaves out from the model's generation_config.json.
    "n": 1,
    "top_p": 1.0,
    "top_k": 0,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "min_tokens": 0,
    "stop": [],
    "ignore_eos": True,  # a completion ends at the `stop_token_ids` of the request alone
    "watermarking": False,
    "logprobs": 0,
    "return_token_ids": True,
    "return_tokens_as_token_ids": True,
}
"""Parameters of a completion that is drawn from the policy's own distribution, with token ids and their log-probs."""
MOST_TOKEN_IDS = 128
"""Tokens whose log-probs one request may ask for."""
WORKERS_ERROR = re.compile(r"Worker failed with error '(.+)', please check the stack trace")
CONNECT_SECONDS = 10.0
BRIEF_SECONDS = 60.0
"""For everything but completions."""


class ServerLost(RuntimeError):
    """A server did not answer as a working one does; another server may, or the same one later."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServedModel:
    """A server's base model.

    Example:
        ServedModel(name="qwen", path="Qwen/Qwen2.5-1.5B-Instruct", max_model_len=32768)
    """

    name: str
    path: str
    max_model_len: int
    """Tokens of a prompt and its completion."""


class VllmServer:
    """One server at `url`. Every method raises ServerLost where a retry may help, and RunFailure where none does."""

    def __init__(self, url: str, *, time_limit: float):
        self.url = url
        self._timeout = httpx2.Timeout(time_limit, connect=min(CONNECT_SECONDS, time_limit))
        self._brief = httpx2.Timeout(min(BRIEF_SECONDS, time_limit))
        self._running: tuple[asyncio.AbstractEventLoop, asyncio.Task] | None = None

    def adapters(self) -> list[str]:
        """Return the names of the adapters that the server has loaded."""
        return [model["id"] for model in self._models() if model.get("parent")]

    def base_model(self) -> ServedModel:
        """Return the model that the server was started with."""
        models = self._models()
        base = next(model for model in models if not model.get("parent"))
        return ServedModel(name=base["id"], path=base.get("root") or base["id"], max_model_len=base["max_model_len"])

    def max_loras(self) -> int | None:
        """Return how many adapters a batch may mix, where the server's metrics say it: only after a first request."""
        response = self._ask("GET", "/metrics")
        if response.status_code != 200:
            return None
        _, found, rest = response.text.partition('vllm:lora_requests_info{max_lora="')
        return int(rest.partition('"')[0]) if found else None

    def load_adapter(self, name: str, folder: Path) -> None:
        """Have the server read an adapter's folder, and answer under its name from now on."""
        response = self._ask("POST", "/v1/load_lora_adapter", {"lora_name": name, "lora_path": str(folder)})
        if response.status_code == 404 and "error" not in response.text:
            raise RunFailure(
                f"{self.url} loads no adapters while it runs; start it with VLLM_ALLOW_RUNTIME_LORA_UPDATING=True in "
                "its environment, and with --enable-lora"
            )
        if response.status_code == 404:
            raise RunFailure(
                f"{self.url} does not see the adapter in {folder} ({_message(response)}); set rollouts.adapter_folder "
                "to a folder on a disk that the server sees under the same path, and may read"
            )
        self._check(response, "refuses the adapter")

    def unload_adapter(self, name: str) -> None:
        """Have the server forget an adapter; one that it does not have, or cannot have, is no error."""
        response = self._ask("POST", "/v1/unload_lora_adapter", {"lora_name": name})
        if response.status_code != 404:
            self._check(response, f"does not unload the adapter {name}")

    def refusal(self, body: dict[str, Any]) -> str:
        """Return the reason for which the server refuses a completion; empty if it does not."""
        response = self._ask("POST", "/v1/completions", body)
        return _message(response) if response.status_code == 400 else ""

    def complete(self, bodies: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
        """Ask for completions, all at the same time; return the choices of each request."""
        return asyncio.run(self._complete_all(bodies))

    def token_logprobs(
        self, model: str, token_ids: Sequence[int], *, temperature: float = 1.0, last: int | None = None
    ) -> list[float]:
        """Return the log-probs of a text's `last` tokens, or of all but its first, by the base model or an adapter.

        They are those of ordinary sampling, one token after each beginning of the text: prompt log-probs would pass by
        the prefix cache, which may hold another adapter's prompts.
        """
        first = max(1, len(token_ids) - (len(token_ids) if last is None else last))
        bodies = []
        for start in range(first, len(token_ids), MOST_TOKEN_IDS):
            ends = range(start, min(start + MOST_TOKEN_IDS, len(token_ids)))
            fixed = {"temperature": temperature, "max_tokens": 1, "stop_token_ids": [], "seed": 0}
            asked = sorted({token_ids[end] for end in ends})
            beginnings = [list(token_ids[:end]) for end in ends]
            bodies.append({**UNFILTERED, **fixed, "model": model, "prompt": beginnings, "logprob_token_ids": asked})
        choices = [choice for answer in self.complete(bodies) for choice in answer]
        return [self._logprob_of(token, choice) for token, choice in zip(token_ids[first:], choices, strict=True)]

    def _logprob_of(self, token: int, choice: dict[str, Any]) -> float:
        (logprobs,) = choice["logprobs"]["top_logprobs"]
        if f"token_id:{token}" not in logprobs:
            raise RunFailure(
                f"{self.url} does not give the log-probs of chosen tokens (logprob_token_ids), which prove with which "
                "adapter it samples; use vLLM 0.30"
            )
        return logprobs[f"token_id:{token}"]

    def cancel(self) -> None:
        """End the completions that another thread waits for; the server stops working on them."""
        if (running := self._running) is not None:
            loop, task = running
            with suppress(RuntimeError):  # they have just ended, and their loop is closed
                loop.call_soon_threadsafe(task.cancel)

    async def _complete_all(self, bodies: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
        task = asyncio.current_task()
        assert task is not None
        self._running = asyncio.get_running_loop(), task
        limits = httpx2.Limits(max_connections=None)
        async with httpx2.AsyncClient(
            base_url=self.url, timeout=self._timeout, limits=limits, headers=_headers()
        ) as client:
            try:
                return await asyncio.gather(*(self._complete(client, body) for body in bodies))
            finally:
                self._running = None

    async def _complete(self, client: httpx2.AsyncClient, body: dict[str, Any]) -> list[dict[str, Any]]:
        try:
            response = await client.post("/v1/completions", json=body)
        except httpx2.HTTPError as error:
            raise self._lost(error) from error
        if response.status_code == 404:
            raise ServerLost(
                f"{self.url} does not have {body['model']} any more ({_message(response)}): it was restarted, or "
                "--api-server-count is above 1, which hides an adapter from the other servers"
            )
        self._check(response, "refuses a completion")
        choices = self._json(response)["choices"]
        if not all(choice.get("token_ids") and choice.get("logprobs") for choice in choices):
            raise RunFailure(f"{self.url} returns no token ids or no log-probs with a completion; use vLLM 0.30")
        return choices

    def _models(self) -> list[dict[str, Any]]:
        return self._json(self._ask("GET", "/v1/models"))["data"]

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx2.Response:
        try:
            return httpx2.request(method, f"{self.url}{path}", json=body, headers=_headers(), timeout=self._brief)
        except httpx2.HTTPError as error:
            raise self._lost(error) from error

    def _lost(self, error: httpx2.HTTPError) -> ServerLost:
        if isinstance(error, httpx2.ReadTimeout):
            return ServerLost(f"{self.url} has not answered within {error.request.extensions['timeout']['read']:g} s")
        return ServerLost(f"{self.url} does not answer ({str(error) or type(error).__name__})")

    def _check(self, response: httpx2.Response, what: str) -> None:
        """Raise ServerLost for a status that a retry may mend, and RunFailure for one that none does."""
        if response.status_code in (401, 403):
            raise RunFailure(
                f"{self.url} wants another key than {KEY_VARIABLE} in the environment; set that to its --api-key"
            )
        reason = _message(response).lower()
        if response.status_code == 500 and "lora" in reason and "timed out" not in reason:
            raise RunFailure(f"{self.url} {what}: {_message(response)}")
        if response.status_code >= 500 or response.status_code in (408, 409, 429):
            raise ServerLost(f"{self.url} {what}: status {response.status_code}, {_message(response)}")
        if response.status_code != 200:
            raise RunFailure(f"{self.url} {what}: {_message(response)}")

    def _json(self, response: httpx2.Response) -> Any:
        self._check(response, "does not answer as vLLM")
        try:
            return response.json()
        except ValueError as error:
            raise RunFailure(f"{self.url} does not answer as vLLM: {response.text[:200]!r}") from error


def _message(response: httpx2.Response) -> str:
    """Return the reason that vLLM gives, or of its worker that it quotes, or the beginning of what came instead."""
    with suppress(ValueError, LookupError, TypeError):  # a proxy's page, say
        message = str(response.json()["error"]["message"])
        quoted = WORKERS_ERROR.search(message)
        return quoted[1] if quoted else message
    return repr(response.text[:200])


def _headers() -> dict[str, str]:
    key = os.environ.get(KEY_VARIABLE)
    return {"Authorization": f"Bearer {key}"} if key else {}
