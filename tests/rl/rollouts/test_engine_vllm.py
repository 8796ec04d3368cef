"""The vLLM engine against a fake with vLLM's documented interface: what it passes on, and how it reads results."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file

from rl.common.errors import RunFailure
from rl.config.model import AdapterConfig
from rl.models.load import load_model
from rl.rollouts.adapter_bytes import adapter_state, serialize_adapter
from rl.rollouts.engine_vllm import VllmEngine, import_vllm, row_seed, served_rank
from rl.rollouts.generation import GenerationConfig
from rl.rollouts.types import RolloutRequest
from rl.rollouts.workers.weight_sync import Tolerance, check_fingerprint, weight_fingerprint
from rl.rollouts.workers.worker import Worker

EOS = 2


class FakeLLM:
    """Answers each prompt with its own last token, then end of text; records its calls."""

    def __init__(self, **options: Any):
        self.options = options
        self.calls: list[SimpleNamespace] = []

    def generate(self, prompts: list[dict], sampling_params: list, *, lora_request: Any, use_tqdm: bool) -> list:
        answers = []
        for prompt, parameters in zip(prompts, sampling_params, strict=True):
            ids = prompt["prompt_token_ids"]
            self.calls.append(SimpleNamespace(ids=ids, parameters=parameters, lora=lora_request))
            token_ids = [ids[-1], EOS][: parameters.max_tokens]
            # vLLM also reports likelier tokens than the sampled one
            logprobs = [
                {511: SimpleNamespace(logprob=-0.1), token: SimpleNamespace(logprob=-float(token))}
                for token in token_ids
            ]
            reason = "stop" if token_ids[-1] == EOS else "length"
            completion = SimpleNamespace(token_ids=token_ids, logprobs=logprobs, finish_reason=reason)
            prompt_logprobs = [None, *({token: SimpleNamespace(logprob=-token / 10)} for token in ids[1:])]
            answers.append(SimpleNamespace(outputs=[completion], prompt_logprobs=prompt_logprobs))
        return answers


def lora_request(name: str, number: int, path: str) -> SimpleNamespace:
    return SimpleNamespace(lora_name=name, lora_int_id=number, lora_path=path)


FAKE = SimpleNamespace(
    LLM=FakeLLM,
    SamplingParams=SimpleNamespace,
    lora=SimpleNamespace(request=SimpleNamespace(LoRARequest=lora_request)),
)
REQUEST = RolloutRequest(position=4, prompts=((17, 30), (88, 9)), num_generations=2, version=3, seed=0)


def make_engine(*, max_completion_length: int = 8) -> VllmEngine:
    return VllmEngine(
        "some/model",
        dtype="bfloat16",
        lora=AdapterConfig(r=4, alpha=8),
        generation=GenerationConfig(temperature=0.7, max_completion_length=max_completion_length),
        vllm=FAKE,
    )


def make_policy() -> PeftModel:
    torch.manual_seed(0)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    return get_peft_model(load_model("tiny"), config)


def test_vllm__is_started_with_lora_and_processed_logprobs():
    options = make_engine().llm.options
    assert options["enable_lora"] is True
    assert options["max_lora_rank"] == 8  # the least bound above 4
    assert options["logprobs_mode"] == "processed_logprobs"


def test_samples__have_the_sampled_tokens_logprobs():
    samples = make_engine().sample(REQUEST)
    assert [sample.prompt_ids for sample in samples] == [(17, 30), (17, 30), (88, 9), (88, 9)]
    assert samples[0].completion_ids == (30, EOS)
    assert samples[0].logprobs == (-30.0, -2.0)
    assert (samples[0].finish_reason, samples[0].version) == ("stop", 3)


def test_samples__cut_at_the_limit_have_finish_reason_length():
    assert make_engine(max_completion_length=1).sample(REQUEST)[0].finish_reason == "length"


def test_rows__sample_the_unfiltered_distribution_with_distinct_seeds():
    engine = make_engine()
    engine.sample(REQUEST)
    parameters = [call.parameters for call in engine.llm.calls]
    assert {(one.temperature, one.max_tokens, one.logprobs) for one in parameters} == {(0.7, 8, 0)}
    assert not {"top_p", "top_k", "min_p", "repetition_penalty"} & vars(parameters[0]).keys()
    assert len({one.seed for one in parameters}) == 4
    assert [one.seed for one in parameters] == [row_seed(REQUEST, 4 + row // 2, row % 2) for row in range(4)]
    assert len(parameters) == 4
    assert all(0 <= one.seed < 2**32 for one in parameters)


def test_load_adapter__writes_a_folder_that_peft_loads():
    policy, engine = make_policy(), make_engine()
    state = adapter_state(policy.get_base_model())
    engine.load_adapter(serialize_adapter(state))
    engine.sample(REQUEST)
    folder = Path(engine.llm.calls[0].lora.lora_path)
    loaded = PeftModel.from_pretrained(load_model("tiny"), str(folder))
    ids = torch.tensor([[17, 30, 200]])
    with torch.no_grad():
        assert torch.equal(loaded(ids).logits, policy.eval()(ids).logits)
    assert len(load_file(folder / "adapter_model.safetensors")) == len(state) == 8


def test_load_adapter__uses_a_new_name_and_removes_the_old_folder():
    policy, engine = make_policy(), make_engine()
    payload = serialize_adapter(adapter_state(policy.get_base_model()))
    for _ in range(2):
        engine.load_adapter(payload)
        engine.sample(REQUEST)
    first, second = engine.llm.calls[0].lora, engine.llm.calls[-1].lora
    assert first.lora_name != second.lora_name
    assert 0 < first.lora_int_id < second.lora_int_id
    assert not Path(first.lora_path).exists()
    assert Path(second.lora_path).exists()


def test_worker__has_the_fingerprint_of_what_vllm_was_given():
    state = adapter_state(make_policy().get_base_model())
    worker = Worker(make_engine(), name="worker-0", probe_ids=(5, 10, 20))
    learner = weight_fingerprint(state, [-1.0, -2.0], owner="learner", version=3)  # as the fake scores tokens 10 and 20
    check_fingerprint(
        learner, worker.load_adapter(3, serialize_adapter(state)), previous=None, tolerance=Tolerance(1e-9)
    )


def test_import_vllm__says_what_to_install_when_it_is_missing():
    with pytest.raises(RunFailure, match=r"rollouts.engine=vllm needs vllm.*pip install heed\[vllm\].*=transformers"):
        import_vllm()


@pytest.mark.parametrize(("rank", "bound"), [(1, 1), (2, 8), (16, 16), (257, 320), (512, 512)])
def test_served_rank__is_the_next_bound(rank, bound):
    assert served_rank(rank) == bound


def test_served_rank__above_the_largest_bound_is_refused():
    with pytest.raises(RunFailure, match=r"lora.r=513 is more than vLLM serves; set lora.r to at most 512"):
        served_rank(513)
