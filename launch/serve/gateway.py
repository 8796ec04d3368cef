"""The gateway: an OpenAI-style door before a server that has a bundle's adapters loaded; it writes the adapter's name
into each request, and passes everything else through."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
import httpx
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

Choose = Callable[[str | list[dict[str, str]], str], dict[str, float]]
"""Prompt or messages, and a task -> adapter to gate, the largest first."""

LIMIT = 2**20
"""Bytes of a request."""
ROUTE = "heed-adapter"
TASK = "heed-task"
"""Headers: which adapter answered, and the task of a request for a bundle that routes by task."""
PATHS = ("/v1/completions", "/v1/chat/completions")


class Refusal(Exception):
    """A request that is answered here, with a status and a sentence."""

    def __init__(self, status: int, sentence: str):
        super().__init__(sentence)
        self.status = status


def gateway(
    choose: Choose,
    *,
    upstream: str,
    time_limit: float = 600.0,
    limit: int = LIMIT,
    transport: httpx.AsyncBaseTransport | None = None,
) -> FastAPI:
    """The application. `time_limit` is in seconds, of every wait for the upstream; `transport` is for tests."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=upstream, timeout=time_limit, limits=limits, transport=transport
        ) as client:
            app.state.client = client
            yield

    app = FastAPI(title="Heed gateway", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    one_at_a_time = anyio.CapacityLimiter(1)  # the router's model is one

    async def forward(request: Request) -> Response:
        body = parse(await read(request, limit))
        prompt, task = asked(body, request.url.path), request.headers.get(TASK, "")
        gates = await anyio.to_thread.run_sync(_route, choose, prompt, task, limiter=one_at_a_time)
        adapter = next(iter(gates))
        return await passed_on(app.state.client, request, {**body, "model": adapter}, adapter)

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


async def read(request: Request, limit: int) -> bytes:
    """The request's body; a larger one is refused before it is all there."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise Refusal(413, f"the request is larger than {limit} bytes")
    return bytes(body)


def parse(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"the request is no JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise Refusal(400, f"the request must be a JSON object, got {type(parsed).__name__}")
    return parsed


def asked(body: dict[str, Any], path: str) -> str | list[dict[str, str]]:
    """What is to be routed: the text of `prompt`, or `messages` with their text."""
    if path.endswith("/chat/completions"):
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise Refusal(400, "messages must be a list with at least one message")
        return [_message(place, message) for place, message in enumerate(messages)]
    prompt = body.get("prompt")
    if not isinstance(prompt, str) or not prompt:
        raise Refusal(400, "prompt must be one text that is not empty; send several prompts as several requests")
    return prompt


def _message(place: int, message: Any) -> dict[str, str]:
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise Refusal(400, f"messages[{place}] must be an object with a role and a content")
    content = message.get("content")
    if isinstance(content, list):  # parts: the router reads their text
        content = "".join(
            part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)
        )
    if content is not None and not isinstance(content, str):
        raise Refusal(400, f"messages[{place}].content must be a text or a list of parts")
    return {"role": message["role"], "content": content or ""}


def _route(choose: Choose, prompt: str | list[dict[str, str]], task: str) -> dict[str, float]:
    try:
        return choose(prompt, task)
    except ValueError as error:
        raise Refusal(400, str(error)) from error


async def passed_on(client: httpx.AsyncClient, request: Request, body: dict[str, Any], adapter: str) -> Response:
    """The upstream's answer as it comes, whatever its status; a client that leaves ends the upstream's work, too."""
    headers = {name: request.headers[name] for name in ("authorization", "accept") if name in request.headers}
    asked_for = client.build_request("POST", request.url.path, json=body, headers=headers)
    try:
        answer = await client.send(asked_for, stream=True)
    except httpx.TimeoutException as error:
        raise Refusal(504, f"the upstream {client.base_url} did not answer in time") from error
    except httpx.HTTPError as error:
        raise Refusal(502, f"the upstream {client.base_url} failed: {error or type(error).__name__}") from error
    kept = {name: value for name, value in answer.headers.items() if name == "content-type"}
    return StreamingResponse(_parts(answer), status_code=answer.status_code, headers={**kept, ROUTE: adapter})


async def _parts(answer: httpx.Response) -> AsyncIterator[bytes]:
    """Closed with the client's connection. An upstream that breaks off breaks ours off: half an answer is none."""
    try:
        async for part in answer.aiter_bytes():
            yield part
    finally:
        with anyio.CancelScope(shield=True):
            await answer.aclose()
