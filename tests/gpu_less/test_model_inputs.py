"""What commands give a model lies on the model's device, also when that is not the CPU."""

import pytest
import torch
from peft import PeftModel, get_peft_model

from attention_probes.record import ProbePlan
from data.needles import needle_test
from data.problems import Problem
from launch.probe import read as probe_read
from launch.probe.calibration_texts import CalibrationTexts, generate_calibration_texts, read_calibration_texts
from launch.probe.read import run_probe
from launch.probe.retrieval_heads import find_retrieval_heads
from rl.config.model import AdapterConfig
from rl.config.routing import RoutingConfig
from rl.evaluation.answers import sample_answers
from rl.models.load import load_model, load_tokenizer
from rl.models.lora import lora_config
from rl.rollouts.types import RolloutRequest, Sample
from rl.routing.fit import fit
from rl.routing.route import Route, add_adapters
from tests.gpu_less.meta_models import ReachedModel, stopping_model

TOKENIZER = load_tokenizer("tiny")
TASKS = ["left", "right", "left"]
PROMPTS = [(1, 2, 3), (4,), (5, 6)]


@pytest.mark.parametrize("given", [{"completion": "It is wide."}, {"generate": True}])
def test_run_probe__reads_on_the_models_device(given, monkeypatch, tmp_path):
    monkeypatch.setattr(probe_read, "load_model", stopping_model)
    with pytest.raises(ReachedModel):
        run_probe("tiny", "Describe the sea.", out=tmp_path, constraints=["Describe the sea."], **given)


def test_calibration_texts__are_generated_on_the_models_device():
    with pytest.raises(ReachedModel):
        next(generate_calibration_texts(stopping_model(), TOKENIZER, num_prompts=2, max_new_tokens=2, seed=0))


def test_calibration_texts__are_read_on_the_models_device():
    ids, real = torch.ones(1, 3, dtype=torch.long), torch.ones(1, 3, dtype=torch.bool)
    batch = CalibrationTexts(ids=ids, real=real, completion=real)
    with pytest.raises(ReachedModel):
        read_calibration_texts(stopping_model(), batch, ProbePlan(per_head=True))


def test_find_retrieval_heads__reads_on_the_models_device():
    with pytest.raises(ReachedModel):
        find_retrieval_heads(stopping_model(), TOKENIZER, [needle_test(0, 0)])


def routed_policy(router: str, device: str) -> Route:
    settings = RoutingConfig(adapters=("left", "right"), router=router, weights={"left": 0.25, "right": 0.75})  # pyright: ignore
    lora = AdapterConfig(r=2, alpha=4)
    policy = get_peft_model(load_model("tiny", device=device), lora_config(lora))
    assert isinstance(policy, PeftModel)
    return add_adapters(policy, lora, settings)


@pytest.mark.parametrize("router", ["attention", "kmeans"])
def test_fit__computes_features_on_the_policys_device_and_keeps_them_on_the_host(router):
    route = routed_policy(router, "meta")
    # the embedding on the meta device takes the ids; its values cannot come back, for there are none
    with pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor"):
        fit(route.router, route.policy, PROMPTS, TASKS, seed=0)


def test_fit__computes_the_probe_routers_features_on_the_policys_device():
    route = routed_policy("probe", "meta")
    inner = stopping_model()
    route.policy.get_base_model().model.register_forward_pre_hook(
        inner._forward_pre_hooks.popitem()[1], with_kwargs=True
    )
    with pytest.raises(ReachedModel):
        fit(route.router, route.policy, PROMPTS, TASKS, seed=0)


@pytest.mark.parametrize("router", ["task", "fixed", "attention", "kmeans"])
def test_gates__are_on_the_policys_device(router):
    gates = routed_policy(router, "meta").gates(PROMPTS, TASKS)
    assert (gates.device.type, tuple(gates.shape)) == ("meta", (3, 2))


class NumberingEngine:
    """Answers each row with its prompt's position in the whole list, and keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[RolloutRequest] = []

    def sample(self, request: RolloutRequest) -> list[Sample]:
        self.requests.append(request)
        rows = [(group, prompt) for group, prompt in enumerate(request.prompts) for _ in range(request.num_generations)]
        return [
            Sample(
                prompt_ids=prompt,
                completion_ids=(40 + request.position + group,),
                logprobs=(0.0,),
                finish_reason="stop",
                version=0,
            )
            for group, prompt in rows
        ]


@pytest.mark.parametrize(("gpus", "sizes"), [(0, [1, 1, 1, 1, 1]), (2, [2, 2, 1])])
def test_sample_answers__several_prompts_a_call_on_gpus(gpus, sizes, claim_gpus):
    claim_gpus(gpus)
    message = {"role": "user", "content": "Say hello."}
    problems = [Problem(problem_id=str(index), messages=(message,)) for index in range(5)]
    engine = NumberingEngine()
    samples = 30  # two prompts in 64 rows
    answered = list(sample_answers(engine, TOKENIZER, problems, samples=samples, seed=0))
    assert [len(request.prompts) for request in engine.requests] == sizes
    # position p is answered by token 40 + p, each problem `samples` times, in order
    assert answered == [(problem, [TOKENIZER.decode([40 + p])] * samples) for p, problem in enumerate(problems)]
