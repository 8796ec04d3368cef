"""The gateway before a real upstream on loopback: every request reaches its adapter, and nothing bad gets through."""

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

from launch.serve.gateway import LIMIT, gateway

FAMILIES = ("upper", "lower", "short")


def choose(prompt: str | list[dict[str, str]], task: str) -> dict[str, float]:
    """The family that the prompt names."""
    text = prompt if isinstance(prompt, str) else prompt[-1]["content"]
    found = [name for name in FAMILIES if name in text or name == task]
    if not found:
        raise ValueError(f"no adapter is meant for task {task!r}")
    return {found[0]: 1.0}


class Upstream:
    """A small OpenAI-compatible server that says which model was asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.left = threading.Event()
        self.app = FastAPI()
        self.app.post("/v1/completions")(self.complete)
        self.app.post("/v1/chat/completions")(self.complete)

    async def complete(self, request: Request):
        body = await request.json()
        self.asked[body["model"]] += 1
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
            self.left.set()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Served:
    """An application served on loopback by a thread of its own."""

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
def door(upstream: Upstream) -> Iterator[str]:
    with Served(upstream.app) as behind, Served(gateway(choose, upstream=behind, time_limit=2.0)) as url:
        yield url


HEADERS = {"authorization": "Bearer key"}


def ask(door: str, body: object, path: str = "/v1/chat/completions", **headers: str) -> httpx.Response:
    return httpx.post(f"{door}{path}", content=json.dumps(body), headers={**HEADERS, **headers}, timeout=20)


def chat(text: str, **more: object) -> dict:
    return {"model": "any", "messages": [{"role": "user", "content": text}], **more}


def test_200_requests_at_once_reach_their_adapters(door: str, upstream: Upstream):
    async def all_at_once() -> list[tuple[str, httpx.Response]]:
        async with httpx.AsyncClient(timeout=60, headers=HEADERS, limits=httpx.Limits(max_connections=None)) as client:
            names = [FAMILIES[number % 3] for number in range(200)]
            calls = [client.post(f"{door}/v1/chat/completions", json=chat(f"be {name}")) for name in names]
            return list(zip(names, await asyncio.gather(*calls), strict=True))

    for name, answer in asyncio.run(all_at_once()):
        assert answer.status_code == 200
        assert answer.json()["model"] == answer.headers["heed-adapter"] == name
    assert upstream.asked == {"upper": 67, "lower": 67, "short": 66}


def test_a_request_is_passed_on_as_it_is_but_for_the_model(door: str):
    body = {"model": "any", "prompt": "be lower", "max_tokens": 7}
    assert ask(door, body, "/v1/completions").json() == {"model": "lower", "max_tokens": 7, "auth": "Bearer key"}
    parts = {"messages": [{"role": "user", "content": [{"type": "text", "text": "be short"}]}]}
    assert ask(door, parts).json()["model"] == "short"
    assert ask(door, chat("be anything"), **{"heed-task": "upper"}).json()["model"] == "upper"
    assert httpx.get(f"{door}/healthz").json() == {"status": "ok"}


def test_a_stream_is_passed_through(door: str):
    answer = ask(door, chat("be upper", stream=True))
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text == "data: one\n\ndata: two\n\n"


def test_the_upstreams_own_refusal_is_passed_through(door: str):
    assert ask(door, chat("be upper", user="rejected")).status_code == 422


@pytest.mark.parametrize(
    ("body", "path", "said"),
    [
        ([1], "/v1/completions", "must be a JSON object, got list"),
        ({"prompt": ["a", "b"]}, "/v1/completions", "prompt must be one text"),
        ({}, "/v1/chat/completions", "messages must be a list"),
        ({"messages": [{"content": "x"}]}, "/v1/chat/completions", "messages[0] must be an object"),
        ({"messages": [{"role": "user", "content": 5}]}, "/v1/chat/completions", "messages[0].content must be"),
        ({"messages": [{"role": "user", "content": "x"}]}, "/v1/chat/completions", "no adapter is meant for task ''"),
    ],
)
def test_bad_input_is_told_in_a_sentence(door: str, upstream: Upstream, body: object, path: str, said: str):
    answer = ask(door, body, path)
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]
    assert not upstream.asked


def test_what_is_no_json_or_too_large_is_refused(door: str, upstream: Upstream):
    assert httpx.post(f"{door}/v1/completions", content=b"{").status_code == 400
    assert httpx.post(f"{door}/v1/completions", content=b"[" * 100_000).status_code == 400
    large = httpx.post(f"{door}/v1/completions", content=b" " * (10 * LIMIT), timeout=20)
    assert large.status_code == 413
    assert not upstream.asked


def test_a_slow_and_a_dead_upstream_are_told_apart(door: str):
    slow = ask(door, chat("be upper", user="slow"))
    assert slow.status_code == 504
    assert "did not answer in time" in slow.json()["error"]["message"]
    with Served(gateway(choose, upstream=f"http://127.0.0.1:{free_port()}")) as alone:
        dead = ask(alone, chat("be upper"))
    assert dead.status_code == 502
    assert "failed" in dead.json()["error"]["message"]


def test_a_client_that_leaves_ends_the_upstreams_work(door: str, upstream: Upstream):
    endless = chat("be upper", stream=True, user="endless")
    with httpx.stream("POST", f"{door}/v1/chat/completions", json=endless, headers=HEADERS) as answer:
        assert next(answer.iter_bytes()).startswith(b"data: one")
    assert upstream.left.wait(10)
