"""Gateway: an OpenAI-compatible proxy in front of a server that has a bundle's adapters loaded.

It sets `model` of each request to the adapter that fits the prompt, and forwards everything else as it is.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
import httpx
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from rl.common.errors import UserError

Choose = Callable[[str | list[dict[str, str]], str], dict[str, float]]
"""Prompt or messages, and a task -> gate of each adapter, the largest first."""

MAX_BYTES = 2**20
"""Largest request that is accepted."""
ADAPTER_HEADER = "heed-adapter"
"""Header of the answer: the adapter that gave it."""
TASK_HEADER = "heed-task"
"""Header of the request: its task, for a bundle that routes by task."""
PATHS = ("/v1/completions", "/v1/chat/completions")
MODELS = "/v1/models"
"""Clients ask for it first; the upstream answers."""


class Refusal(Exception):
    """A request that the gateway answers itself, with a status and a sentence."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


def gateway(
    choose: Choose,
    *,
    upstream: str,
    time_limit: float = 600.0,
    max_bytes: int = MAX_BYTES,
    transport: httpx.AsyncBaseTransport | None = None,
) -> FastAPI:
    """Build the application. `time_limit` is in seconds, for every wait for the upstream; `transport` is for tests."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=upstream, timeout=time_limit, limits=limits, transport=transport
        ) as client:
            app.state.client = client
            yield

    app = FastAPI(title="Heed gateway", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    one_at_a_time = anyio.CapacityLimiter(1)  # the router has one model for all requests

    async def forward(request: Request) -> Response:
        body = parse(await read(request, max_bytes))
        prompt, task = prompt_of(body, request.url.path), request.headers.get(TASK_HEADER, "")
        gates = await anyio.to_thread.run_sync(_route, choose, prompt, task, limiter=one_at_a_time)
        adapter = next(iter(gates))
        return await send_upstream(app.state.client, request, {**body, "model": adapter}, adapter)

    @app.get(MODELS)
    async def models(request: Request) -> Response:
        return await send_upstream(app.state.client, request)

    for path in PATHS:
        app.add_api_route(path, forward, methods=["POST"])

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.exception_handler(Refusal)
    async def refuse(_: Request, refusal: Refusal) -> JSONResponse:
        kind = "invalid_request_error" if refusal.status < 500 else "upstream_error"
        return JSONResponse({"error": {"message": str(refusal), "type": kind}}, status_code=refusal.status)

    return app


async def read(request: Request, max_bytes: int) -> bytes:
    """Return the request's body; refuse a larger one before all of it has arrived."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > max_bytes:
            raise Refusal(413, f"the request is larger than {max_bytes} bytes")
    return bytes(body)


def parse(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a request's body."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"the request is not JSON: {error}") from error
    try:  # Python reads what no JSON may hold, and what would fail on its way to the upstream
        json.dumps(parsed, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"the request holds a number or a character that JSON cannot hold: {error}") from error
    if not isinstance(parsed, dict):
        raise Refusal(400, f"the request must be a JSON object, got {type(parsed).__name__}")
    return parsed


def prompt_of(body: dict[str, Any], path: str) -> str | list[dict[str, str]]:
    """Return what the router reads: the text of `prompt`, or the texts of `messages`."""
    if path.endswith("/chat/completions"):
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise Refusal(400, "messages must be a list with at least one message")
        return [_message(position, message) for position, message in enumerate(messages)]
    prompt = body.get("prompt")
    if not isinstance(prompt, str) or not prompt:
        raise Refusal(400, "prompt must be one non-empty text; send several prompts as several requests")
    return prompt


def _message(position: int, message: Any) -> dict[str, str]:
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise Refusal(400, f"messages[{position}] must be an object with a role and a content")
    content = message.get("content")
    if isinstance(content, list):  # a list of parts: the router reads their texts
        content = "".join(
            part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)
        )
    if content is not None and not isinstance(content, str):
        raise Refusal(400, f"messages[{position}].content must be a text or a list of parts")
    return {"role": message["role"], "content": content or ""}


def _route(choose: Choose, prompt: str | list[dict[str, str]], task: str) -> dict[str, float]:
    try:
        return choose(prompt, task)
    except UserError as error:
        hint = "" if task else f"; a request names its task in the header {TASK_HEADER}"
        raise Refusal(400, f"{error}{hint}") from error
    except ValueError as error:
        raise Refusal(400, str(error)) from error


async def send_upstream(
    client: httpx.AsyncClient, request: Request, body: dict[str, Any] | None = None, adapter: str | None = None
) -> Response:
    """Stream the upstream's answer, whatever its status; a client that disconnects ends the upstream's work, too."""
    headers = {name: request.headers[name] for name in ("authorization", "accept") if name in request.headers}
    forwarded = client.build_request(request.method, request.url.path, json=body, headers=headers)
    try:
        answer = await client.send(forwarded, stream=True)
    except httpx.TimeoutException as error:
        raise Refusal(504, f"the upstream {client.base_url} did not answer in time") from error
    except httpx.HTTPError as error:
        raise Refusal(502, f"the upstream {client.base_url} failed: {error or type(error).__name__}") from error
    headers = {name: value for name, value in answer.headers.items() if name == "content-type"}
    if adapter is not None:
        headers[ADAPTER_HEADER] = adapter
    return StreamingResponse(_parts(answer), status_code=answer.status_code, headers=headers)


async def _parts(answer: httpx.Response) -> AsyncIterator[bytes]:
    """Yield the answer's parts until the client disconnects.

    An upstream that breaks off breaks the client's connection off as well: half an answer must not look whole.
    """
    try:
        async for part in answer.aiter_bytes():
            yield part
    finally:
        with anyio.CancelScope(shield=True):
            await answer.aclose()
