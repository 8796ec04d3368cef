"""HTTP of a vLLM server: one that takes a request and never answers is lost, and the error says after how long."""

import socket

import pytest

from rl.rollouts.vllm_http import ServerLost, VllmServer


def test_server__that_does_not_answer_in_time_is_lost():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        server = VllmServer(url, time_limit=0.2)
        for ask in (server.base_model, lambda: server.complete([{"model": "base"}])):
            with pytest.raises(ServerLost, match=rf"{url} has not answered within 0\.2 s"):
                ask()
