"""Endpoint: a real server on loopback that answers, fails, refuses or returns nonsense."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from data.endpoint import KEY_VARIABLE, Endpoint

ANSWER = {"choices": [{"message": {"role": "assistant", "content": "Hello."}}]}


class Server:
    """Answers with its script, one (status, body) a request, the last one repeatedly, and records the requests."""

    def __init__(self, *script: tuple[int, object]):
        self.requests: list[tuple[str, dict, str | None]] = []
        waiting = list(script)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append((self.path, body, self.headers["Authorization"]))
                status, answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
                self.send_response(status)
                self.end_headers()
                self.wfile.write(answer if isinstance(answer, bytes) else json.dumps(answer).encode())

            def log_message(self, *args: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> "Server":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def test_endpoint__answers_a_message(monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, "secret")
    with Server((200, ANSWER)) as server:
        assert Endpoint(url=server.url + "/", model="m", max_tokens=7)("Say hello.") == "Hello."
    [(path, body, key)] = server.requests
    assert (path, key) == ("/v1/chat/completions", "Bearer secret")
    assert body["messages"] == [{"role": "user", "content": "Say hello."}]
    assert (body["model"], body["max_tokens"]) == ("m", 7)


def test_endpoint__retries_after_a_failure(monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    waits: list[float] = []
    with Server((503, {}), (429, {}), (200, ANSWER)) as server:
        assert Endpoint(url=server.url, model="m", sleep=waits.append)("Hi.") == "Hello."
    assert waits == [2.0, 4.0]
    assert [key for _, _, key in server.requests] == [None] * 3


@pytest.mark.parametrize(
    ("script", "argument_error"),
    [
        ((500, {}), r"did not answer in 3 tries \(status 500\)"),
        ((401, {"error": "no"}), "status 401.*set HEED_ENDPOINT_KEY"),
        ((404, {"error": "no such model"}), "status 404.*no such model"),
        ((200, b"<html>"), "did not answer in OpenAI's format: '<html>'"),
        ((200, {"choices": []}), "did not answer in OpenAI's format"),
        ((200, {"choices": [{"message": {"content": None}}]}), "answered without text"),
    ],
)
def test_endpoint__failures_are_explained(script, argument_error):
    with Server(script) as server, pytest.raises(ValueError, match=argument_error):
        Endpoint(url=server.url, model="m", sleep=lambda _: None)("Hi.")


def test_endpoint__no_server_is_an_error():
    with Server((200, ANSWER)) as gone:
        pass
    with pytest.raises(ValueError, match="did not answer in 2 tries"):
        Endpoint(url=gone.url, model="m", tries=2, sleep=lambda _: None)("Hi.")


@pytest.mark.parametrize(("url", "model"), [("127.0.0.1:8000", "m"), ("file:///etc/passwd", "m"), ("http://x/v1", "")])
def test_endpoint__bad_address_or_model_is_an_error(url, model):
    with pytest.raises(ValueError, match="endpoint"):
        Endpoint(url=url, model=model)
