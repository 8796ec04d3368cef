"""Weight sync: an adapter arrives bit for bit, or an error names the difference."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from rl.common.errors import RunFailure
from rl.config.load import parse_config
from rl.config.model import AdapterConfig
from rl.config.rollouts import RolloutsConfig
from rl.config.routing import RoutingConfig
from rl.models.load import load_model, load_tokenizer
from rl.models.lora import lora_config
from rl.models.tokenization import encode_prompt
from rl.rollouts.adapter_bytes import adapter_size, adapter_state, host_adapter, serialize_adapter
from rl.rollouts.engine_hf import TransformersEngine
from rl.rollouts.generation import GenerationConfig
from rl.rollouts.types import RolloutRequest
from rl.rollouts.workers.sampler import allowed_gap, store_size
from rl.rollouts.workers.weight_sync import (
    PROBE_TEXT,
    ProbeGap,
    Tolerance,
    check_fingerprint,
    probe_gap,
    weight_fingerprint,
)
from rl.rollouts.workers.worker import Worker

PROBE_IDS = encode_prompt(load_tokenizer("tiny"), PROBE_TEXT)


def make_engine(*, seed: int = 0, r: int = 2) -> TransformersEngine:
    torch.manual_seed(seed)
    config = LoraConfig(r=r, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    model = get_peft_model(load_model("tiny"), config)
    generation = GenerationConfig(temperature=1.0, max_completion_length=4)
    return TransformersEngine(model, load_tokenizer("tiny"), generation)


def make_worker(**changes: int) -> Worker:
    return Worker(make_engine(**changes), name="worker-0", probe_ids=PROBE_IDS)


def published(engine: TransformersEngine, version: int):
    state = host_adapter(engine.model)
    return serialize_adapter(state), weight_fingerprint(
        state, engine.token_logprobs(PROBE_IDS), owner="learner", version=version
    )


def test_load_adapter__delivers_what_the_learner_published():
    learner, worker = make_engine(seed=1), make_worker(seed=2)
    payload, fingerprint = published(learner, 3)
    delivered = worker.load_adapter(3, payload)
    # bit for bit, so the probe text's log-probs are equal and not only near
    assert delivered.digest == fingerprint.digest
    assert delivered.logprobs == fingerprint.logprobs
    check_fingerprint(fingerprint, delivered, previous=None, tolerance=Tolerance(1e-9))


def test_load_adapter__proves_a_learner_in_bfloat16_to_a_worker_in_float32():
    # DeepSpeed turns the whole policy to bfloat16, the adapter too; a worker's adapter stays float32
    learner, worker = make_engine(seed=1), make_worker(seed=2)
    learner.model.to(torch.bfloat16)
    state = host_adapter(learner.model)
    assert {tensor.dtype for tensor in state.values()} == {torch.float32}
    fingerprint = weight_fingerprint(state, learner.token_logprobs(PROBE_IDS), owner="learner", version=3)
    delivered = worker.load_adapter(3, serialize_adapter(state))
    assert delivered.digest == fingerprint.digest
    check_fingerprint(fingerprint, delivered, previous=None, tolerance=Tolerance(0.5))


def test_load_adapter__notices_a_worker_that_rounds():
    learner, worker = make_engine(seed=1), make_worker(seed=2)
    worker.engine.model.to(torch.bfloat16)
    payload, fingerprint = published(learner, 3)
    with pytest.raises(RunFailure, match="is not what was published"):
        check_fingerprint(fingerprint, worker.load_adapter(3, payload), previous=None, tolerance=Tolerance(0.5))


def test_adapter_size__is_known_before_there_is_an_adapter():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    lora, base = AdapterConfig(r=4, alpha=8), load_model("tiny")
    before = base.state_dict().keys()
    size = adapter_size(base, lora, RoutingConfig())
    assert torch.equal(torch.rand(1), expected) and base.state_dict().keys() == before
    assert size == sum(4 * tensor.numel() for tensor in host_adapter(get_peft_model(base, lora_config(lora))).values())


def test_store_size__holds_every_version_in_flight_of_every_rank():
    # 100 MiB, the published version and the one before, of 8 ranks, and a quarter more: 1.25 * 100 * 2 * 8 = 2000
    sections = {"distributed": {"processes": 8}, "rollouts": {"workers": 8}}
    assert store_size(parse_config(sections), 100 * 2**20) == 2000
    assert store_size(parse_config(sections), 1) == 200
    stale = {"workers": 8, "max_staleness": 1, "object_store_mb": 2999}  # a third version: 3000
    with pytest.raises(
        ValueError, match=r"object_store_mb=2999 does not hold 3 versions of an adapter of 100 MiB.*3000"
    ):
        store_size(parse_config({**sections, "rollouts": stale}), 100 * 2**20)


def test_worker__samples_what_the_learner_would():
    learner, worker = make_engine(seed=1), make_worker(seed=2)
    request = RolloutRequest(position=0, prompts=((17, 30, 200), (88, 9)), num_generations=2, version=3, seed=0)
    worker.load_adapter(3, published(learner, 3)[0])
    assert worker.sample(request).samples == learner.sample(request)


def test_worker__refuses_to_sample_for_another_version():
    worker = make_worker()
    worker.load_adapter(3, published(make_engine(), 3)[0])
    request = RolloutRequest(position=0, prompts=((17,),), num_generations=2, version=4, seed=0)
    with pytest.raises(RunFailure, match="worker-0: version 3 is active, version 4 was requested"):
        worker.sample(request)


@pytest.mark.parametrize("position", [0, 20, -1])
def test_damaged_payload__stops_the_run(position):
    learner, worker = make_engine(seed=1), make_worker(seed=2)
    payload, fingerprint = published(learner, 3)
    damaged = bytearray(payload)
    damaged[position] ^= 0x40
    with pytest.raises(RunFailure, match="worker-0, policy version 3: "):
        check_fingerprint(fingerprint, worker.load_adapter(3, bytes(damaged)), previous=None, tolerance=Tolerance(1e-4))


def test_check_fingerprint__notices_an_adapter_that_never_arrived():
    # what happened in other people's systems for months: everything looks right, only nothing was delivered
    learner, worker = make_engine(seed=1), make_worker(seed=1)
    first_payload, before = published(learner, 1)
    worker.load_adapter(1, first_payload)
    with torch.no_grad():
        for tensor in adapter_state(learner.model).values():
            tensor.add_(0.25)
    _, after = published(learner, 2)
    with pytest.raises(RunFailure, match=r"version 2: .*lora_A.* \(with 7 more\) is still as in version 1"):
        check_fingerprint(after, worker.load_adapter(2, first_payload), previous=before, tolerance=Tolerance(1e-4))


def test_check_fingerprint__names_a_tensor_of_another_shape():
    payload, fingerprint = published(make_engine(r=4), 0)
    with pytest.raises(RunFailure, match=r"policy version 0: .*lora_A.* \(with 7 more\) did not reach the worker"):
        check_fingerprint(
            fingerprint, make_worker(r=2).load_adapter(0, payload), previous=None, tolerance=Tolerance(1e-4)
        )


def test_check_fingerprint__notices_another_base_model_by_the_logprobs():
    learner, worker = make_engine(seed=1), make_worker(seed=2)
    with torch.no_grad():
        worker.engine.model.model.norm.weight.mul_(1.01)
    payload, fingerprint = published(learner, 0)
    with pytest.raises(RunFailure, match="although the tensors are equal: the base models, their types or their"):
        check_fingerprint(fingerprint, worker.load_adapter(0, payload), previous=None, tolerance=Tolerance(1e-4))


@pytest.mark.parametrize(
    ("differences", "gap", "in_float32", "in_bfloat16"),
    [
        # position 0.9 x 9 = 8.1 of the sorted ten: a tenth of the way from the ninth to the tenth
        ([0.0] * 9 + [2.0], ProbeGap(mean=0.2, quantile=0.2, largest=2.0), False, True),
        ([0.0] * 8 + [1.0] * 2, ProbeGap(mean=0.2, quantile=1.0, largest=1.0), False, False),
        ([0.25] * 10, ProbeGap(mean=0.25, quantile=0.25, largest=0.25), True, True),
        ([0.5] * 5 + [0.125] * 5, ProbeGap(mean=0.3125, quantile=0.5, largest=0.5), False, False),
        ([0.0] * 9 + [float("nan")], None, False, False),
    ],
)
def test_tolerance__is_of_the_largest_gap_or_in_bfloat16_of_mean_and_quantile(
    differences, gap, in_float32, in_bfloat16
):
    learner = weight_fingerprint({}, [-3.0] * 10, owner="learner", version=0)
    worker = weight_fingerprint({}, [-3.0 + each for each in differences], owner="worker-0", version=0)
    measured = probe_gap(learner, worker)
    if gap is not None:
        assert (measured.mean, measured.quantile, measured.largest) == pytest.approx(
            (gap.mean, gap.quantile, gap.largest)
        )
    assert Tolerance(0.25).allows(measured) == in_float32
    assert Tolerance(0.25, rounded=True).allows(measured) == in_bfloat16


def test_check_fingerprint__says_every_measure_of_a_gap():
    learner = weight_fingerprint({}, [-3.0] * 10, owner="learner", version=2)
    worker = weight_fingerprint({}, [-3.0] * 8 + [-2.0] * 2, owner="worker-1", version=2)
    says = r"worker-1, policy version 2: .* differ by 1 at most, 0.2 in the mean and 1 at the 0.9 quantile \(rollouts"
    with pytest.raises(RunFailure, match=says):
        check_fingerprint(learner, worker, previous=None, tolerance=Tolerance(0.25, rounded=True))


def test_allowed_gap__is_the_settings_or_what_the_dtype_leaves():
    default, given = RolloutsConfig(), RolloutsConfig(tolerance=0.5)
    assert allowed_gap(default, torch.float32) == Tolerance(1e-4)
    assert allowed_gap(default, torch.bfloat16) == Tolerance(0.1, rounded=True)
    assert allowed_gap(given, torch.bfloat16) == Tolerance(0.5, rounded=True)


def test_adapter_state__includes_the_router():
    model = nn.Module()
    model.base = nn.Linear(2, 2)
    model.get_submodule("base").heed_router = nn.Linear(2, 1, bias=False)
    assert list(adapter_state(model)) == ["base.heed_router.weight"]


def test_weight_fingerprint__names_all_zero_tensors():
    state = {"a.lora_A": torch.ones(2), "a.lora_B": torch.zeros(2)}
    assert weight_fingerprint(state, (), owner="learner", version=0).zeros == ("a.lora_B",)


def test_digest__covers_names_types_shapes_and_values():
    tensors = [
        {"a": torch.zeros(4)},
        {"b": torch.zeros(4)},
        {"a": torch.zeros(2, 2)},
        {"a": torch.zeros(4, dtype=torch.bfloat16)},
        {"a": torch.tensor([0.0, 0.0, 0.0, -0.0])},
    ]
    digests = {weight_fingerprint(state, (), owner="learner", version=0).digest for state in tensors}
    assert len(digests) == len(tensors)


def test_token_logprobs__equal_a_plain_forward_pass():
    engine = make_engine()
    ids = torch.tensor([PROBE_IDS])
    with torch.no_grad():
        logprobs = engine.model(ids).logits.log_softmax(dim=-1)
    expected = [logprobs[0, position, token].item() for position, token in enumerate(PROBE_IDS[1:])]
    assert len(expected) > 8
    assert engine.token_logprobs(PROBE_IDS) == pytest.approx(expected[-8:], abs=1e-6)
