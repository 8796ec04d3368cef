"""The check of servers before a run: each thing that a server lacks is one sentence, before anything is trained."""

import logging
from typing import Any

import pytest

from rl.build import build_rollouts
from rl.common.errors import RunFailure
from rl.models.load import load_model, load_tokenizer
from tests.rl.grpo_fixtures import tiny_config
from tests.rl.rollouts.fake_vllm_server import FakeVllmServer


def start(server: FakeVllmServer, *, trainer: dict[str, Any] | None = None, **rollouts: Any) -> None:
    """Build and close the rollouts of a run on a server."""
    config = tiny_config(rollouts={"engine": "vllm_server", "url": server.url, **rollouts}, trainer=trainer or {})
    build_rollouts(config, load_model("tiny"), load_tokenizer("tiny")).close()


@pytest.mark.parametrize(
    ("started", "sentence"),
    [
        ({"runtime_loras": False}, "VLLM_ALLOW_RUNTIME_LORA_UPDATING=True"),
        ({"hidden": ("/",)}, "set rollouts.adapter_folder"),
        ({"max_lora_rank": 2}, "LoRA rank 4 is greater than max_lora_rank 2.*--max-lora-rank 8"),
        ({"model_seed": 1}, r"serves base \(some/model\), whose log-probs.*model.name=tiny.*another model"),
        ({"max_model_len": 12}, "no prompt beside trainer.max_completion_length=12; raise its --max-model-len"),
        ({"most_tokens": 5}, "at most 5 tokens, and trainer.max_completion_length=12.*--generation-config vllm"),
        ({"processed_logprobs": False}, "before trainer.temperature=0.5.*--logprobs-mode processed_logprobs"),
    ],
)
def test_a_server_that_lacks_something__is_refused_with_the_way_to_start_it(started, sentence):
    with FakeVllmServer(**started) as server, pytest.raises(RunFailure, match=f"(?s){sentence}") as refusal:
        start(server, trainer={"temperature": 0.5})
    assert "--enable-lora --max-loras 1 --max-lora-rank 8 --logprobs-mode processed_logprobs" in str(refusal.value)
    assert server.adapters == {}


def test_an_address_without_a_server__is_refused_with_the_way_to_start_one():
    with FakeVllmServer() as server:
        pass
    with pytest.raises(RunFailure, match=rf"{server.url} does not answer .*start vLLM(?s:.*)--port {server.port}"):
        start(server)


def test_log_probs_before_the_temperature__do_no_harm_at_temperature_1():
    with FakeVllmServer(processed_logprobs=False) as server:
        start(server, trainer={"temperature": 1.0})


def test_too_little_room_for_adapters__is_a_warning_with_both_numbers(caplog):
    # three workers on one server, and batches of four versions in flight: three adapters at the same time
    with FakeVllmServer(max_loras=2) as server, caplog.at_level(logging.WARNING):
        start(server, workers=3, max_staleness=3)
        assert "--max-loras 2 at the same time, and this run uses up to 3" in caplog.text
        caplog.clear()
        start(server, workers=3)
        assert caplog.text == ""


def test_an_address_may_end_as_openais_clients_write_it():
    with FakeVllmServer() as server:
        config = tiny_config(rollouts={"engine": "vllm_server", "url": [f"{server.url}/v1/", server.url]})
        assert config.rollouts.urls == (server.url, server.url)
