"""The engine on a server: what it asks of vLLM's interface, and what it makes of the answers."""

import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model

from rl.common.errors import RunFailure
from rl.config.model import AdapterConfig, ModelConfig
from rl.config.routing import RoutingConfig
from rl.models.load import load_model, load_tokenizer
from rl.models.lora import lora_config
from rl.rollouts.adapter_bytes import adapter_state, serialize_adapter
from rl.rollouts.engine_hf import TransformersEngine
from rl.rollouts.engine_vllm_server import VllmServerEngine, server_engine, shared_adapters, worker_engine
from rl.rollouts.engines import EngineSetup, ServerSetup
from rl.rollouts.generation import GenerationConfig
from rl.rollouts.interfaces import PROBED
from rl.rollouts.types import RolloutRequest
from rl.rollouts.vllm_http import ServerLost
from rl.rollouts.workers.weight_sync import weight_fingerprint
from rl.rollouts.workers.worker import Worker
from rl.routing.route import add_adapters
from tests.rl.rollouts.fake_vllm_server import GENERATION_CONFIG, FakeVllmServer

TEMPERATURE = 0.7
REQUEST = RolloutRequest(position=4, prompts=((17, 30), (88, 9, 40)), num_generations=3, version=3, seed=0)
TEXT = (5, 9, 40, 9, 77)


@pytest.fixture(autouse=True)
def files_of_engines_that_nobody_closes(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("adapters")))


@pytest.fixture
def server() -> Iterator[FakeVllmServer]:
    with FakeVllmServer() as fake:
        yield fake


def make_setup(
    url: str,
    *,
    length: int = 8,
    ends: tuple[int, ...] = (2,),
    names: str | None = None,
    folder: Path | None = None,
) -> EngineSetup:
    return EngineSetup(
        model=ModelConfig(name="tiny", dtype="float32"),
        lora=AdapterConfig(r=4, alpha=8),
        routing=RoutingConfig(),
        generation=GenerationConfig(temperature=TEMPERATURE, max_completion_length=length),
        server=ServerSetup(
            url=url, names=names or f"heed-{uuid.uuid4().hex}", folder=folder, stop_token_ids=ends, time_limit=60.0
        ),
    )


def make_policy(seed: int = 0) -> PeftModel:
    torch.manual_seed(seed)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    return get_peft_model(load_model("tiny"), config).eval()


def payload_of(policy: PeftModel) -> bytes:
    return serialize_adapter(adapter_state(policy.get_base_model()))


def make_engine(server: FakeVllmServer, policy: PeftModel, **setup) -> VllmServerEngine:
    engine = worker_engine(make_setup(server.url, **setup))
    engine.load_adapter(payload_of(policy))
    return engine


@torch.no_grad()
def learner_logprobs(policy: PeftModel, ids: tuple[int, ...], *, prompt: int, temperature: float) -> list[float]:
    """Return log softmax(logits / temperature) of each token after the prompt."""
    logprobs = torch.log_softmax(policy(input_ids=torch.tensor([ids])).logits[0] / temperature, dim=-1)
    return [logprobs[index - 1, ids[index]].item() for index in range(prompt, len(ids))]


def test_samples__are_of_the_adapter_at_the_temperature_with_its_logprobs(server):
    policy = make_policy()
    samples = make_engine(server, policy).sample(REQUEST)
    assert [sample.prompt_ids for sample in samples] == [(17, 30)] * 3 + [(88, 9, 40)] * 3
    for sample in samples:
        ids = (*sample.prompt_ids, *sample.completion_ids)
        expected = learner_logprobs(policy, ids, prompt=len(sample.prompt_ids), temperature=TEMPERATURE)
        assert sample.logprobs == pytest.approx(expected, abs=1e-5)
        assert sample.version == 3
    assert len({sample.completion_ids for sample in samples}) == 6  # every row draws for itself


def test_a_request__gives_the_same_tokens_again_also_from_another_server(server):
    policy = make_policy()
    first = make_engine(server, policy).sample(REQUEST)
    with FakeVllmServer() as other:
        assert make_engine(other, policy).sample(REQUEST) == first


def test_requests__state_all_that_the_models_generation_config_could_set(server):
    make_engine(server, make_policy()).sample(REQUEST)
    for body in server.bodies:
        assert GENERATION_CONFIG.keys() <= body.keys()
        assert body["ignore_eos"] and body["stop_token_ids"] == [2]


def test_a_completion__ends_at_the_learners_end_tokens_alone(server):
    policy = make_policy()
    free = make_engine(server, policy, ends=()).sample(REQUEST)[0]
    assert (free.finish_reason, len(free.completion_ids)) == ("length", 8)
    end = free.completion_ids[2]
    ended = make_engine(server, policy, ends=(end,)).sample(REQUEST)[0]
    assert ended.finish_reason == "stop"
    assert ended.completion_ids == free.completion_ids[: free.completion_ids.index(end) + 1]


def test_token_logprobs__are_the_learners_by_ordinary_sampling(server):
    policy = make_policy()
    engine = make_engine(server, policy)
    assert engine.token_logprobs(TEXT) == pytest.approx(
        learner_logprobs(policy, TEXT, prompt=1, temperature=1.0), abs=1e-5
    )
    # prompt log-probs would not pass through the prefix cache, whose staleness they are to show
    assert not any("prompt_logprobs" in body or "echo" in body for body in server.bodies)


def test_token_logprobs__of_a_text_with_more_tokens_than_one_request_may_name(server):
    text, policy = tuple(range(3, 3 + 140)), make_policy()
    served = make_engine(server, policy).server.token_logprobs(server.names[0], text)
    assert served == pytest.approx(learner_logprobs(policy, text, prompt=1, temperature=1.0), abs=1e-5)
    assert sorted(len(body["logprob_token_ids"]) for body in server.bodies) == [11, 128]


def test_token_logprobs__of_a_long_text_are_those_of_its_end(server):
    text, policy = tuple(range(3, 3 + 140)), make_policy()
    expected = learner_logprobs(policy, text, prompt=140 - PROBED, temperature=1.0)
    assert make_engine(server, policy).token_logprobs(text) == pytest.approx(expected, abs=1e-5)


def test_inert_adapters__are_those_with_which_the_base_answers(server):
    assert make_engine(server, make_policy()).inert_adapters(TEXT) == ()
    with FakeVllmServer(ignores_adapters=True) as deaf:
        assert make_engine(deaf, make_policy()).inert_adapters(TEXT) == ("default",)


def test_load_adapter__names_tensors_for_which_the_base_has_no_module(server):
    # vLLM loads such a tensor, and does nothing with it
    name = "model.language_model.layers.0.self_attn.q_proj.lora_A.default.weight"
    state = adapter_state(make_policy().get_base_model()) | {name: torch.ones(4, 64)}
    assert worker_engine(make_setup(server.url)).load_adapter(serialize_adapter(state)) == (name,)


def test_a_routed_row__is_sampled_with_the_adapter_of_its_task(server):
    routing = RoutingConfig(adapters=("upper", "lower"), ranks={"lower": 2})
    setup = replace(make_setup(server.url), routing=routing)
    policy = get_peft_model(load_model("tiny"), lora_config(setup.lora))
    route = add_adapters(policy, setup.lora, routing)
    for name, tensor in policy.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(tensor, std=0.5 if ".upper." in name else 0.1)
    learner = TransformersEngine(policy, load_tokenizer("tiny"), setup.generation, route=route)
    engine = worker_engine(setup)
    assert engine.load_adapter(serialize_adapter(learner.active_tensors())) == ()
    assert engine.active_tensors().keys() == learner.active_tensors().keys()
    assert engine.token_logprobs(TEXT) == pytest.approx(learner.token_logprobs(TEXT), abs=1e-5)
    samples = engine.sample(replace(REQUEST, tasks=("lower", "upper")))
    assert [sample.gates for sample in samples] == [(0.0, 1.0)] * 3 + [(1.0, 0.0)] * 3
    for sample in samples:
        with route.applied(torch.tensor([sample.gates])):
            ids = (*sample.prompt_ids, *sample.completion_ids)
            expected = learner_logprobs(policy, ids, prompt=len(sample.prompt_ids), temperature=TEMPERATURE)
        assert sample.logprobs == pytest.approx(expected, abs=1e-5)
    engine.close()
    assert server.adapters == {}


def test_names__are_never_used_twice_and_unloaded_with_their_folder(server, tmp_path):
    first, second = (make_engine(server, make_policy(), folder=tmp_path) for _ in range(2))
    for seed in (1, 2):
        first.load_adapter(payload_of(make_policy(seed)))
    assert len(set(server.names)) == 4
    assert len(server.adapters) == 2  # one of each engine
    first.close()
    second.close()
    assert server.adapters == {}
    assert list(tmp_path.iterdir()) == []


def test_workers_of_one_server__share_an_adapter_until_the_last_lets_go(server):
    setup, policy = make_setup(server.url), make_policy()
    adapters = shared_adapters(setup)
    engines = [server_engine(setup, adapters) for _ in range(2)]
    for engine in engines:
        engine.load_adapter(payload_of(policy))
    assert len(server.names) == 1
    engines[0].load_adapter(payload_of(make_policy(1)))
    assert len(server.adapters) == 2
    assert engines[1].sample(REQUEST) == make_engine(server, policy).sample(REQUEST)
    engines[1].load_adapter(payload_of(make_policy(1)))
    assert set(server.adapters) == {server.names[1], server.names[2]}  # the last is the comparison's


def test_worker__has_the_fingerprint_of_what_the_server_was_given(server):
    policy = make_policy()
    worker = Worker(worker_engine(make_setup(server.url)), name="worker-0", probe_ids=TEXT)
    fingerprint = worker.load_adapter(3, payload_of(policy))
    learner = weight_fingerprint(adapter_state(policy.get_base_model()), [], owner="learner", version=3)
    assert fingerprint.digest == learner.digest


@pytest.mark.parametrize(
    ("started", "sentence"),
    [
        ({"runtime_loras": False}, "VLLM_ALLOW_RUNTIME_LORA_UPDATING=True"),
        ({"hidden": ("/",)}, "does not see the adapter in .*No adapter found.*set rollouts.adapter_folder"),
        ({"max_lora_rank": 2}, "refuses the adapter: LoRA rank 4 is greater than max_lora_rank 2.$"),
    ],
)
def test_load_adapter__says_why_the_server_does_not_load_it(started, sentence, tmp_path):
    with FakeVllmServer(**started) as server, pytest.raises(RunFailure, match=sentence):
        make_engine(server, make_policy(), folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_completion_cut_off_before_its_length__stops_the_run():
    with (
        FakeVllmServer(most_tokens=5) as server,
        pytest.raises(RunFailure, match=r"after 5 tokens \(length\), neither .*trainer.max_completion_length=8"),
    ):
        make_engine(server, make_policy(), ends=()).sample(REQUEST)


def test_a_server_that_forgot_the_adapter__is_lost(server):
    engine = make_engine(server, make_policy())
    server.adapters.clear()
    with pytest.raises(ServerLost, match=r"does not have heed-.* any more"):
        engine.sample(REQUEST)


def test_a_server_that_is_gone__is_lost(server):
    engine = make_engine(server, make_policy())
    server.stop()
    with pytest.raises(ServerLost, match=rf"{server.url} does not answer"):
        engine.sample(REQUEST)
    engine.close()  # which needs no server
