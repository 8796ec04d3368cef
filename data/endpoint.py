"""Endpoint: a language model behind an OpenAI-compatible API."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rewards.errors import InputError

KEY_VARIABLE = "HEED_ENDPOINT_KEY"
"""The environment variable with the key; a key in a settings file would end up in run folders."""
RETRY_STATUSES = frozenset({408, 409, 429, 500, 502, 503, 504})
"""HTTP statuses after which another try may succeed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """Answers one message at a time through `POST {url}/chat/completions`.

    Example:
        Endpoint(url="http://127.0.0.1:8000/v1", model="Qwen/Qwen2.5-7B-Instruct")("Say hello.")
    """

    url: str
    model: str
    temperature: float = 0.7
    max_tokens: int = 512
    timeout: float = 60.0
    """Seconds for one try."""
    tries: int = 3
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise InputError(
                f"an endpoint is an http:// or https:// address, as in http://127.0.0.1:8000/v1; got {self.url!r}"
            )
        if not self.model:
            raise InputError(f"the endpoint {self.url} needs the name of a model")

    def __call__(self, message: str) -> str:
        """Return the model's answer. Raises InputError when there is none after `tries`, or the key is refused."""
        import httpx2  # only when an endpoint is used

        reason = ""
        for attempt in range(self.tries):
            if attempt:
                self.sleep(2.0**attempt)
            try:
                response = httpx2.post(
                    self._address(), json=self._body(message), headers=_headers(), timeout=self.timeout
                )
            except httpx2.HTTPError as error:
                reason = f"{type(error).__name__}: {error}"
                continue
            if response.status_code not in RETRY_STATUSES:
                return _text(response, self._address())
            reason = f"status {response.status_code}"
        raise InputError(f"{self._address()} did not answer in {self.tries} tries ({reason})")

    def _address(self) -> str:
        return f"{self.url.rstrip('/')}/chat/completions"

    def _body(self, message: str) -> dict[str, Any]:
        return {
            "model": self.model,
            "messages": [{"role": "user", "content": message}],
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
        }


def _headers() -> dict[str, str]:
    key = os.environ.get(KEY_VARIABLE)
    return {"Authorization": f"Bearer {key}"} if key else {}


def _text(response: Any, address: str) -> str:
    if response.status_code >= 400:
        hint = f"; set {KEY_VARIABLE}" if response.status_code in (401, 403) else ""
        raise InputError(f"{address} refused: status {response.status_code}, {response.text[:200]!r}{hint}")
    try:
        text = response.json()["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError) as error:
        raise InputError(f"{address} did not answer in OpenAI's format: {response.text[:200]!r}") from error
    if not isinstance(text, str):
        raise InputError(f"{address} answered without text: {response.text[:200]!r}")
    return text
