"""The gateway in front of a real upstream on loopback: every request reaches its adapter, bad ones are refused."""

import asyncio
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse

from launch.serve.gateway import MAX_BYTES, gateway
from rl.common.errors import UserError

FAMILIES = ("upper", "lower", "short")


def choose(prompt: str | list[dict[str, str]], task: str) -> dict[str, float]:
    """Return a gate of 1 for the family that the prompt or the task names."""
    text = prompt if isinstance(prompt, str) else prompt[-1]["content"]
    named = [name for name in FAMILIES if name in text or name == task]
    if not named:
        raise UserError(f"no adapter is meant for task {task!r}")
    return {named[0]: 1.0}


class Upstream:
    """A small OpenAI-compatible server that answers with the name of the model asked for."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.disconnected = threading.Event()
        self.app = FastAPI()
        self.app.post("/v1/completions")(self.complete)
        self.app.post("/v1/chat/completions")(self.complete)
        self.app.get("/v1/models")(self.models)

    async def models(self, request: Request):
        return {"data": [{"id": name} for name in FAMILIES], "auth": request.headers["authorization"]}

    async def complete(self, request: Request):
        body = await request.json()
        self.requests[body["model"]] += 1
        if body.get("stream"):
            return StreamingResponse(self.words(body), media_type="text/event-stream")
        if body.get("user") == "slow":
            await asyncio.sleep(30)
        if body.get("user") == "rejected":
            return JSONResponse({"error": "too long"}, status_code=422)
        return {"model": body["model"], "max_tokens": body.get("max_tokens"), "auth": request.headers["authorization"]}

    async def words(self, body: dict):
        try:
            for word in ("one", "two"):
                yield f"data: {word}\n\n".encode()
            while body.get("user") == "endless":
                yield b"data: more\n\n"
                await asyncio.sleep(0.01)
        finally:
            self.disconnected.set()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Served:
    """An application served on loopback by another thread."""

    def __init__(self, app: FastAPI):
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self.server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
        self.thread = threading.Thread(target=self.server.run, daemon=True)

    def __enter__(self) -> str:
        self.thread.start()
        deadline = time.monotonic() + 20
        while not self.server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return self.url

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = self.server.force_exit = True
        self.thread.join(20)


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
def address(upstream: Upstream) -> Iterator[str]:
    with Served(upstream.app) as behind, Served(gateway(choose, upstream=behind, time_limit=2.0)) as url:
        yield url


HEADERS = {"authorization": "Bearer key"}


def ask(address: str, body: object, path: str = "/v1/chat/completions", **headers: str) -> httpx.Response:
    return httpx.post(f"{address}{path}", content=json.dumps(body), headers={**HEADERS, **headers}, timeout=20)


def chat(text: str, **more: object) -> dict:
    return {"model": "any", "messages": [{"role": "user", "content": text}], **more}


def test_gateway__200_requests_at_once_reach_their_adapters(address: str, upstream: Upstream):
    async def all_at_once() -> list[tuple[str, httpx.Response]]:
        async with httpx.AsyncClient(timeout=60, headers=HEADERS, limits=httpx.Limits(max_connections=None)) as client:
            names = [FAMILIES[number % 3] for number in range(200)]
            calls = [client.post(f"{address}/v1/chat/completions", json=chat(f"be {name}")) for name in names]
            return list(zip(names, await asyncio.gather(*calls), strict=True))

    for name, answer in asyncio.run(all_at_once()):
        assert answer.status_code == 200
        assert answer.json()["model"] == answer.headers["heed-adapter"] == name
    assert upstream.requests == {"upper": 67, "lower": 67, "short": 66}


def test_gateway__changes_nothing_but_the_model(address: str):
    body = {"model": "any", "prompt": "be lower", "max_tokens": 7}
    assert ask(address, body, "/v1/completions").json() == {"model": "lower", "max_tokens": 7, "auth": "Bearer key"}
    parts = {"messages": [{"role": "user", "content": [{"type": "text", "text": "be short"}]}]}
    assert ask(address, parts).json()["model"] == "short"
    assert ask(address, chat("be anything"), **{"heed-task": "upper"}).json()["model"] == "upper"
    assert httpx.get(f"{address}/healthz").json() == {"status": "ok"}


def test_gateway__passes_a_stream_through(address: str):
    answer = ask(address, chat("be upper", stream=True))
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text == "data: one\n\ndata: two\n\n"


def test_gateway__passes_the_upstreams_refusal_through(address: str):
    assert ask(address, chat("be upper", user="rejected")).status_code == 422


@pytest.mark.parametrize(
    ("body", "path", "message"),
    [
        ([1], "/v1/completions", "must be a JSON object, got list"),
        ({"prompt": ["a", "b"]}, "/v1/completions", "prompt must be one non-empty text"),
        ({}, "/v1/chat/completions", "messages must be a list"),
        ({"messages": [{"content": "x"}]}, "/v1/chat/completions", "messages[0] must be an object"),
        ({"messages": [{"role": "user", "content": 5}]}, "/v1/chat/completions", "messages[0].content must be"),
        (
            {"messages": [{"role": "user", "content": "x"}]},
            "/v1/chat/completions",
            "; a request names its task in the header heed-task",
        ),
    ],
)
def test_gateway__refuses_bad_input_in_a_sentence(
    address: str, upstream: Upstream, body: object, path: str, message: str
):
    answer = ask(address, body, path)
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]
    assert not upstream.requests


def test_gateway__refuses_what_is_not_json_or_too_large(address: str, upstream: Upstream):
    assert httpx.post(f"{address}/v1/completions", content=b"{").status_code == 400
    assert httpx.post(f"{address}/v1/completions", content=b"[" * 100_000).status_code == 400
    large = httpx.post(f"{address}/v1/completions", content=b" " * (10 * MAX_BYTES), timeout=20)
    assert large.status_code == 413
    assert not upstream.requests


@pytest.mark.parametrize("value", [b"NaN", b"-Infinity", b"1e999", rb'"\ud800"'])
@pytest.mark.parametrize("key", [b"temperature", b"prompt"])
def test_gateway__refuses_values_that_json_cannot_hold(address: str, upstream: Upstream, key: bytes, value: bytes):
    body = b'{"messages": [{"role": "user", "content": "be upper"}], "%s": %s}' % (key, value)
    answer = httpx.post(f"{address}/v1/chat/completions", content=body, headers=HEADERS, timeout=20)
    assert answer.status_code == 400
    assert "JSON cannot hold" in answer.json()["error"]["message"]
    assert not upstream.requests


def test_gateway__the_upstream_lists_its_models(address: str):
    answer = httpx.get(f"{address}/v1/models", headers=HEADERS, timeout=20)
    assert answer.json() == {"data": [{"id": name} for name in FAMILIES], "auth": "Bearer key"}
    assert "heed-adapter" not in answer.headers


def test_gateway__tells_a_slow_upstream_from_a_dead_one(address: str):
    slow = ask(address, chat("be upper", user="slow"))
    assert slow.status_code == 504
    assert "did not answer in time" in slow.json()["error"]["message"]
    with Served(gateway(choose, upstream=f"http://127.0.0.1:{free_port()}")) as alone:
        dead = ask(alone, chat("be upper"))
    assert dead.status_code == 502
    assert "failed" in dead.json()["error"]["message"]


def test_gateway__a_client_that_disconnects_ends_the_upstreams_work(address: str, upstream: Upstream):
    endless = chat("be upper", stream=True, user="endless")
    with httpx.stream("POST", f"{address}/v1/chat/completions", json=endless, headers=HEADERS) as answer:
        assert next(answer.iter_bytes()).startswith(b"data: one")
    assert upstream.disconnected.wait(10)
