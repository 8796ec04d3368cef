"""The vLLM engine against a fake with vLLM's interface: what it passes on, and how it reads results."""

import tempfile
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file

from rl.common.errors import RunFailure
from rl.config.model import AdapterConfig, ModelConfig
from rl.config.routing import RoutingConfig
from rl.models.load import load_model
from rl.models.lora import lora_config
from rl.rollouts.adapter_bytes import adapter_state, host_adapter, serialize_adapter
from rl.rollouts.engine_vllm import VllmEngine, import_vllm, llm_options, row_seed, served_rank
from rl.rollouts.generation import GenerationConfig
from rl.rollouts.types import RolloutRequest
from rl.rollouts.workers.weight_sync import Tolerance, check_fingerprint, weight_fingerprint
from rl.rollouts.workers.worker import Worker
from rl.routing.route import Route, add_adapters

EOS = 2


class FakeLLM:
    """Answers each prompt with its own last token, then end of text; records its calls."""

    def __init__(self, **options: Any):
        self.options = options
        self.calls: list[SimpleNamespace] = []
        self.awake = True
        self.model_config = SimpleNamespace(max_model_len=options.get("max_model_len", 2048))
        self.files: dict[str, dict[str, bytes]] = {}
        """What was read from each adapter's folder, by LoRA name."""
        self.llm_engine = SimpleNamespace(add_lora=self.read)

    def read(self, request: SimpleNamespace) -> bool:
        assert self.awake  # the adapters' place on the GPU is among what sleep gives back
        self.files[request.lora_name] = {path.name: path.read_bytes() for path in Path(request.lora_path).iterdir()}
        return True

    def sleep(self, level: int) -> None:
        assert self.awake and level == 1  # which keeps the weights, in the host's memory
        self.awake = False

    def wake_up(self) -> None:
        assert not self.awake
        self.awake = True

    def generate(self, prompts: list[dict], sampling_params: list, *, lora_request: list, use_tqdm: bool) -> list:
        answers = []
        for prompt, parameters, lora in zip(prompts, sampling_params, lora_request, strict=True):
            ids = prompt["prompt_token_ids"]
            self.calls.append(SimpleNamespace(ids=ids, parameters=parameters, lora=lora, awake=self.awake))
            if asked := getattr(parameters, "logprob_token_ids", None):
                # the base gives token t the log-prob -t / 10, an adapter twice that
                share = 10 if lora is None else 5
                logprobs = [{token: SimpleNamespace(logprob=-token / share) for token in asked}]
                answers.append(SimpleNamespace(outputs=[SimpleNamespace(logprobs=logprobs)]))
                continue
            token_ids = [ids[-1], EOS][: parameters.max_tokens]
            # vLLM also reports likelier tokens than the sampled one
            logprobs = [
                {511: SimpleNamespace(logprob=-0.1), token: SimpleNamespace(logprob=-float(token))}
                for token in token_ids
            ]
            reason = "stop" if token_ids[-1] == EOS else "length"
            completion = SimpleNamespace(token_ids=token_ids, logprobs=logprobs, finish_reason=reason)
            answers.append(SimpleNamespace(outputs=[completion]))
        return answers


def lora_request(name: str, number: int, path: str) -> SimpleNamespace:
    return SimpleNamespace(lora_name=name, lora_int_id=number, lora_path=path)


FAKE = SimpleNamespace(
    LLM=FakeLLM,
    SamplingParams=SimpleNamespace,
    lora=SimpleNamespace(request=SimpleNamespace(LoRARequest=lora_request)),
)
REQUEST = RolloutRequest(position=4, prompts=((17, 30), (88, 9)), num_generations=2, version=3, seed=0)


def make_engine(*, max_completion_length: int = 8, routing: RoutingConfig | None = None, **options: Any) -> VllmEngine:
    return VllmEngine(
        ModelConfig(name="tiny", dtype="bfloat16"),
        lora=AdapterConfig(r=4, alpha=8),
        generation=GenerationConfig(temperature=0.7, max_completion_length=max_completion_length),
        routing=routing,
        options=options,
        vllm=FAKE,
    )


def make_policy() -> PeftModel:
    torch.manual_seed(0)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    return get_peft_model(load_model("tiny"), config)


def read_by_peft(engine: VllmEngine, adapter: str, folder: Path) -> PeftModel:
    """Load with PEFT what vLLM read of an adapter."""
    for name, data in engine.llm.files[engine._requests[adapter].lora_name].items():
        (folder / name).write_bytes(data)
    return PeftModel.from_pretrained(load_model("tiny"), str(folder))


def loaded(engine: VllmEngine) -> VllmEngine:
    engine.load_adapter(serialize_adapter(adapter_state(make_policy().get_base_model())))
    return engine


def test_vllm__is_started_with_lora_and_processed_logprobs():
    options = make_engine().llm.options
    assert options["enable_lora"] is True
    assert options["max_lora_rank"] == 8  # the least bound above 4
    assert options["logprobs_mode"] == "processed_logprobs"
    assert options["dtype"] == "bfloat16"
    assert options["max_loras"] == 1


def test_vllm__gets_the_options_of_the_settings():
    options = make_engine(gpu_memory_utilization=0.4, max_model_len=512).llm.options
    assert (options["gpu_memory_utilization"], options["max_model_len"]) == (0.4, 512)
    assert "kv_cache_memory_bytes" not in options


def test_llm_options__leave_a_machine_without_a_gpu_its_memory(monkeypatch):
    monkeypatch.delenv("VLLM_CPU_KVCACHE_SPACE", raising=False)
    assert llm_options({"enforce_eager": True}) == {"enforce_eager": True, "kv_cache_memory_bytes": 2**30}
    assert llm_options({"gpu_memory_utilization": 0.1}) == {"gpu_memory_utilization": 0.1}
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "4")
    assert llm_options({}) == {}


def test_sleep_mode__gives_the_memory_back_between_requests():
    engine = make_engine(enable_sleep_mode=True)
    assert not engine.llm.awake
    loaded(engine).sample(REQUEST)
    assert not engine.llm.awake
    assert [call.awake for call in engine.llm.calls] == [True] * 4


def test_samples__have_the_sampled_tokens_logprobs():
    samples = loaded(make_engine()).sample(REQUEST)
    assert [sample.prompt_ids for sample in samples] == [(17, 30), (17, 30), (88, 9), (88, 9)]
    assert samples[0].completion_ids == (30, EOS)
    assert samples[0].logprobs == (-30.0, -2.0)
    assert (samples[0].finish_reason, samples[0].version) == ("stop", 3)


def test_samples__cut_at_the_limit_have_finish_reason_length():
    assert loaded(make_engine(max_completion_length=1)).sample(REQUEST)[0].finish_reason == "length"


def test_samples__of_prompts_that_leave_too_little_room_are_refused():
    assert len(loaded(make_engine(max_model_len=10)).sample(REQUEST)) == 4  # 2 tokens and a completion of 8
    message = r"a prompt of 2 tokens and trainer.max_completion_length=8 are more than the 9 tokens .*raise rollouts"
    with pytest.raises(RunFailure, match=message):
        loaded(make_engine(max_model_len=9)).sample(REQUEST)


def test_rows__sample_the_unfiltered_distribution_with_distinct_seeds():
    engine = loaded(make_engine())
    engine.sample(REQUEST)
    parameters = [call.parameters for call in engine.llm.calls]
    assert {(one.temperature, one.max_tokens, one.logprobs) for one in parameters} == {(0.7, 8, 0)}
    assert not {"top_p", "top_k", "min_p", "repetition_penalty"} & vars(parameters[0]).keys()
    assert len({one.seed for one in parameters}) == 4
    assert [one.seed for one in parameters] == [row_seed(REQUEST, 4 + row // 2, row % 2) for row in range(4)]
    assert len(parameters) == 4
    assert all(0 <= one.seed < 2**32 for one in parameters)


def test_load_adapter__gives_vllm_what_peft_loads(tmp_path):
    policy, engine = make_policy(), make_engine()
    state = adapter_state(policy.get_base_model())
    engine.load_adapter(serialize_adapter(state))
    loaded = read_by_peft(engine, "default", tmp_path)
    ids = torch.tensor([[17, 30, 200]])
    with torch.no_grad():
        assert torch.equal(loaded(ids).logits, policy.eval()(ids).logits)
    assert len(load_file(tmp_path / "adapter_model.safetensors")) == len(state) == 8


def test_load_adapter__uses_a_new_name_and_leaves_no_files(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    policy, engine = make_policy(), make_engine()
    payload = serialize_adapter(adapter_state(policy.get_base_model()))
    for _ in range(2):
        engine.load_adapter(payload)
        engine.sample(REQUEST)
        assert not list(tmp_path.iterdir())  # a worker is killed, not closed: nobody would remove them
    first, second = engine.llm.calls[0].lora, engine.llm.calls[-1].lora
    assert first.lora_name != second.lora_name
    assert 0 < first.lora_int_id < second.lora_int_id
    assert engine.llm.files.keys() == {first.lora_name, second.lora_name}


def test_load_adapter__names_tensors_for_which_the_base_has_no_module():
    state = adapter_state(make_policy().get_base_model())
    wrong = {
        name.replace("model.layers.1.", "model.language_model.layers.1."): tensor for name, tensor in state.items()
    }
    missing = make_engine().load_adapter(serialize_adapter(wrong))
    assert len(missing) == 4 and set(missing) == wrong.keys() - state.keys()


def test_worker__has_the_fingerprint_of_what_vllm_was_given():
    state = adapter_state(make_policy().get_base_model())
    worker = Worker(make_engine(), name="worker-0", probe_ids=(5, 10, 20))
    learner = weight_fingerprint(state, [-2.0, -4.0], owner="learner", version=3)  # as the fake scores tokens 10 and 20
    fingerprint = worker.load_adapter(3, serialize_adapter(state))
    check_fingerprint(learner, fingerprint, previous=None, tolerance=Tolerance(1e-9))
    assert fingerprint.inert == ()


def test_token_logprobs__are_those_of_sampled_tokens_at_the_end_of_the_text():
    engine = loaded(make_engine())
    text = tuple(range(100, 130))
    assert engine.token_logprobs(text) == [-token / 5 for token in range(122, 130)]
    assert [len(call.ids) for call in engine.llm.calls] == list(range(22, 30))
    calls = len(engine.llm.calls)
    assert engine.token_logprobs(text) == engine.token_logprobs(text)
    assert len(engine.llm.calls) == calls  # an adapter's name never means another, so nothing is computed again
    # vLLM computes these without the cache of prompts, so that a stale one would not show
    assert not any(hasattr(call.parameters, "prompt_logprobs") for call in engine.llm.calls)


def test_inert_adapters__are_those_that_change_nothing_though_they_are_not_zero(monkeypatch):
    engine = loaded(make_engine())
    assert engine.inert_adapters((5, 10, 20)) == ()
    assert [call.lora is None for call in engine.llm.calls] == [True] * 2 + [False] * 2
    monkeypatch.setattr(engine, "_requests", dict.fromkeys(engine._requests))  # vLLM answers without the adapter
    tensors = {"q_proj.lora_B.default.weight": torch.ones(2)}
    monkeypatch.setattr(engine, "active_tensors", lambda: tensors)
    assert engine.inert_adapters((5, 10, 20)) == ("default",)
    tensors["q_proj.lora_B.default.weight"].zero_()
    assert engine.inert_adapters((5, 10, 20)) == ()


ROUTED = RoutingConfig(adapters=("upper", "lower", "title"), ranks={"title": 9})


def routed_policy() -> tuple[PeftModel, Route]:
    torch.manual_seed(0)
    policy = get_peft_model(load_model("tiny"), lora_config(AdapterConfig(r=4, alpha=8)))
    assert isinstance(policy, PeftModel)
    route = add_adapters(policy, AdapterConfig(r=4, alpha=8), ROUTED)
    with torch.no_grad():
        for name, parameter in policy.named_parameters():
            if "lora_B" in name:
                parameter.normal_()
    return policy, route


def test_routing__samples_each_row_with_the_adapter_of_its_task():
    policy, _ = routed_policy()
    engine = make_engine(routing=ROUTED)
    assert engine.llm.options["max_loras"] == 3
    assert engine.llm.options["max_lora_rank"] == 16  # the least bound above 9
    assert engine.load_adapter(serialize_adapter(host_adapter(policy.get_base_model()))) == ()
    samples = engine.sample(replace(REQUEST, tasks=("title", "upper")))
    assert [call.lora.lora_name.partition("-")[0] for call in engine.llm.calls] == ["title"] * 2 + ["upper"] * 2
    assert [sample.gates for sample in samples] == [(0.0, 0.0, 1.0)] * 2 + [(1.0, 0.0, 0.0)] * 2


def test_routing__gives_vllm_each_adapter_as_peft_loads_it_and_has_the_learners_fingerprint(tmp_path):
    policy, route = routed_policy()
    state = host_adapter(policy.get_base_model())
    engine = make_engine(routing=ROUTED)
    engine.load_adapter(serialize_adapter(state))
    ids = torch.tensor([[17, 30, 200]])
    for index, name in enumerate(engine._requests):
        alone = read_by_peft(engine, name, tmp_path)
        with torch.no_grad(), route.applied(torch.eye(3)[[index]]):
            assert torch.allclose(alone(ids).logits, policy.eval()(ids).logits, atol=1e-5), name
    assert weight_fingerprint(engine.active_tensors(), [], owner="a", version=0).tensors == (
        weight_fingerprint(state, [], owner="b", version=0).tensors
    )


@pytest.mark.skipif(bool(find_spec("vllm")), reason="vLLM is installed")
def test_import_vllm__says_what_to_install_when_it_is_missing():
    with pytest.raises(RunFailure, match=r"rollouts.engine=vllm needs vllm.*pip install heed\[vllm\].*=transformers"):
        import_vllm()


@pytest.mark.parametrize(("rank", "bound"), [(1, 1), (2, 8), (16, 16), (257, 320), (512, 512)])
def test_served_rank__is_the_next_bound(rank, bound):
    assert served_rank(rank) == bound


def test_served_rank__above_the_largest_bound_is_refused():
    with pytest.raises(RunFailure, match=r"lora.r=513 is more than vLLM serves; set lora.r to at most 512"):
        served_rank(513)
