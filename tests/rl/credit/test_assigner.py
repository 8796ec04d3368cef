"""Assigner: from one forward pass of the loss to token weights under the configured rule."""

import math

import pytest
import torch
from torch import Tensor, tensor

from attention_probes.indicators import INDICATORS
from rl.config.credit import CreditConfig, ProbeConfig
from rl.credit.assigner import AssignedCredit, CreditAssigner, constraint_metrics
from rl.credit.inputs import CreditInputs, Evidence, RuleParams
from rl.credit.reader import layer_groups, token_readings
from rl.models.load import load_model

# Two rows of a prompt of 5 and a completion of 7 tokens: the first is padded on the left, the second on the right.
REAL = tensor([[0, 0] + [1] * 10, [1] * 9 + [0] * 3])
MASK = REAL[:, -7:].bool()


def make_assigner(*, probe: ProbeConfig | None = None, seed: int = 0, **credit) -> CreditAssigner:
    return CreditAssigner(CreditConfig(**credit), probe or ProbeConfig(window=4, horizon=(1, 4)), seed=seed)


def record(assigner: CreditAssigner) -> CreditInputs:
    ids = torch.randint(3, 512, REAL.shape, generator=torch.Generator().manual_seed(0))
    model = load_model("tiny")
    with torch.no_grad(), assigner.recording(model, step=0) as recorder:
        model(input_ids=ids, attention_mask=REAL)
    probe_readings = None if recorder is None else assigner.reader.read(recorder, MASK.shape[1])
    fai, waad = (None, None) if probe_readings is None else (probe_readings.fai, probe_readings.waad)
    return CreditInputs(mask=MASK, entropy=torch.rand(MASK.shape), fai=fai, waad=waad)


def weights(assigner: CreditAssigner, inputs: CreditInputs, *, step: int = 0, micro_step: int = 0) -> Tensor:
    return assigner.weights(inputs, step=step, micro_step=micro_step)[:, 0]


def assign(assigner: CreditAssigner, inputs: CreditInputs, advantages: Tensor) -> AssignedCredit:
    ids = torch.zeros(inputs.mask.shape, dtype=torch.long)
    return assigner.assign(inputs, advantages, ids, step=0, micro_step=0)


@pytest.mark.parametrize(
    ("rule", "listen", "needs_probe"),
    [
        ("uniform", "auto", False),
        ("uniform", "always", True),
        ("random", "auto", False),
        ("global_anchor", "auto", True),
        ("constraint", "auto", True),
    ],
)
def test_needs_probe__only_where_rule_or_config_needs_it(rule, listen, needs_probe):
    assigner = make_assigner(rule=rule, probe=ProbeConfig(listen=listen, horizon=(1, 4)))
    assert assigner.needs_probe is needs_probe
    inputs = record(assigner)
    assert (inputs.fai is not None) == (inputs.waad is not None) == needs_probe


def test_reader__readings_are_those_of_the_completion():
    inputs = record(make_assigner(rule="global_anchor"))
    assert inputs.fai is not None and inputs.waad is not None
    assert inputs.fai.shape == inputs.waad.shape == (2, 7)
    assert bool((inputs.waad[MASK] > 0.0).all())
    assert bool((inputs.waad[~MASK] == 0.0).all())


def test_weights__reach_the_floor_vanish_at_padding_and_average_1():
    assigner = make_assigner(rule="global_anchor", floor=0.25)
    shared = weights(assigner, record(assigner))
    assert bool((shared[MASK] >= 0.25).all())
    assert bool((shared[~MASK] == 0.0).all())
    assert torch.allclose(shared.sum(dim=1) / MASK.sum(dim=1), tensor([1.0, 1.0]))
    # q 0.4 of 7 and of 4 tokens are 3 and 2
    assert [(row > 1.0).sum().item() for row in shared] == [3, 2]


def test_weights__random_ones_depend_on_seed_step_and_micro_step_alone():
    inputs = CreditInputs(mask=torch.ones(4, 30, dtype=torch.bool), entropy=torch.zeros(4, 30))
    first = weights(make_assigner(rule="random"), inputs, step=3, micro_step=7)
    assert torch.equal(weights(make_assigner(rule="random"), inputs, step=3, micro_step=7), first)
    for other in (
        weights(make_assigner(rule="random"), inputs, step=4, micro_step=7),
        weights(make_assigner(rule="random"), inputs, step=3, micro_step=8),
        weights(make_assigner(rule="random", seed=1), inputs, step=3, micro_step=7),
    ):
        assert not torch.equal(other, first)


def test_weights__leave_the_global_random_state_alone():
    inputs = CreditInputs(mask=torch.ones(4, 30, dtype=torch.bool), entropy=torch.zeros(4, 30))
    state = torch.get_rng_state()
    weights(make_assigner(rule="random"), inputs)
    assert torch.equal(torch.get_rng_state(), state)


def test_assign__sign_positive_leaves_negative_advantages_alone():
    inputs = CreditInputs(mask=torch.ones(2, 10, dtype=torch.bool), entropy=torch.zeros(2, 10))
    given = assign(make_assigner(rule="random", sign="positive"), inputs, tensor([[1.0], [-1.0]]))
    # 4 of 10 tokens weigh 1.5, so the mean is 1.2 and the weights are 1.25 and 0.8333
    assert sorted(given.advantages[0].tolist()) == pytest.approx([1 / 1.2] * 6 + [1.25] * 4)
    assert given.advantages[1].tolist() == [-1.0] * 10


def test_assign__logs_mean_readings():
    assigner = make_assigner(rule="global_anchor")
    inputs = record(assigner)
    metrics = assign(assigner, inputs, torch.ones(2, 1)).metrics
    assert inputs.fai is not None and inputs.waad is not None
    assert metrics["probe/fai_mean"] == pytest.approx(inputs.fai[MASK].mean().item())
    assert metrics["probe/waad_mean"] == pytest.approx(inputs.waad[MASK].mean().item())
    assert metrics["probe/used"] == 1.0
    assert all(not math.isnan(value) for value in metrics.values())


def test_assign__logs_no_readings_where_none_were_recorded():
    assigner = make_assigner(rule="uniform")
    metrics = assign(assigner, record(assigner), torch.ones(2, 1)).metrics
    assert not any(name.startswith("probe/") for name in metrics)


def test_needs_probe_at__steps_that_every_divides():
    assigner = make_assigner(rule="global_anchor", probe=ProbeConfig(horizon=(1, 4), every=3))
    # optimizer steps are counted from 0 here and from 1 in the metrics: steps 3, 6, ... of those
    assert [step for step in range(9) if assigner.needs_probe_at(step)] == [2, 5, 8]


@pytest.mark.parametrize("rule", ["global_anchor", "coupled", "shuffled", "bottom"])
def test_assign__a_rule_without_its_readings_weighs_all_tokens_alike(rule):
    assigner = make_assigner(rule=rule)
    inputs = CreditInputs(mask=MASK, entropy=torch.zeros(MASK.shape))
    given = assign(assigner, inputs, torch.ones(2, 1))
    assert torch.equal(given.advantages, MASK.float())
    assert given.metrics["probe/used"] == 0.0


def test_assign__a_disabled_rule_weighs_all_tokens_alike():
    assigner = make_assigner(rule="random")
    assigner.rule_enabled = False
    given = assign(assigner, CreditInputs(mask=MASK, entropy=torch.zeros(MASK.shape)), torch.ones(2, 1))
    assert torch.equal(given.advantages, MASK.float())
    assert given.metrics["credit/rule_disabled"] == 1.0


def test_weights__of_a_custom_rule_are_normalized():
    def last_half(inputs: CreditInputs, params: RuleParams) -> Tensor:
        return (torch.arange(inputs.mask.shape[1]) >= 5).float().expand(inputs.mask.shape)

    assigner = CreditAssigner(CreditConfig(rule="mine.py:last_half"), ProbeConfig(), seed=0, custom_rule=last_half)
    assert assigner.needs_probe, "who knows what it looks at"
    inputs = CreditInputs(mask=torch.ones(1, 10, dtype=torch.bool), entropy=torch.zeros(1, 10), fai=torch.zeros(1, 10))
    assert weights(assigner, inputs).tolist() == [[0.0] * 5 + [2.0] * 5]


def test_assign__shares_of_several_channels_are_the_sizes_of_the_token_advantages():
    # channel 0 gives 2 to each of two tokens, channel 1 -1 on average, all of it to the first: 2 - 2 and 2 + 0
    tokens = tensor([[[True, False]]])
    inputs = CreditInputs(
        mask=torch.ones(1, 2, dtype=torch.bool),
        entropy=torch.zeros(1, 2),
        evidence=Evidence(tokens=tokens, failed=tensor([[True]])),
    )
    given = assign(make_assigner(rule="constraint"), inputs, tensor([[2.0, -1.0]]))
    assert given.advantages.tolist() == [[0.0, 2.0]]
    assert given.shares.tolist() == [[0.0, 2.0]]
    # the parts of the first token are as large as each other
    assert given.channels is not None and given.channels.tolist() == [[0.0, 0.0]]


def test_assign__names_channels_of_a_rule_that_has_several_and_is_followed():
    evidence = Evidence(tokens=tensor([[[True, False]]]), failed=tensor([[True]]))
    inputs = CreditInputs(mask=torch.ones(1, 2, dtype=torch.bool), entropy=torch.zeros(1, 2), evidence=evidence)
    assigner, advantages = make_assigner(rule="constraint"), tensor([[0.5, -1.0]])
    given = assign(assigner, inputs, advantages)
    assert given.channels is not None and given.channels.tolist() == [[1.0, 0.0]]
    assigner.rule_enabled = False
    assert assign(assigner, inputs, advantages).channels is None
    assert assign(make_assigner(rule="random"), inputs, tensor([[1.0]])).channels is None


def test_constraint_metrics__average_over_real_tokens_and_stated_constraints():
    # row 0 has two real tokens and pays 1 and 3 to its first rule, nothing to the place of a second; row 1 pays 5
    attention = tensor([[[1.0, 3.0, 9.0], [0.0, 0.0, 0.0]], [[5.0, 5.0, 5.0], [0.0, 0.0, 0.0]]])
    mask = tensor([[True, True, False], [True, True, True]])
    assert constraint_metrics(attention, mask) == {"probe/constraint_attention_mean": 3.5}
    assert math.isnan(constraint_metrics(attention * 0, mask)["probe/constraint_attention_mean"])


def test_layer_groups__are_thirds_of_the_layers_read():
    layers = (10, 12, 15, 18, 20)
    groups = {name: layers[places] for name, places in layer_groups(layers).items()}
    assert groups == {"layers_10-12": (10, 12), "layers_15-15": (15,), "layers_18-20": (18, 20)}
    assert list(layer_groups((3,))) == ["layers_3-3"]


def test_assign__logs_the_indicators_of_the_completions_tokens():
    assigner = make_assigner(probe=ProbeConfig(indicators=True, horizon=(1, 4)))
    assert assigner.needs_probe
    ids = torch.randint(3, 512, REAL.shape, generator=torch.Generator().manual_seed(0))
    model = load_model("tiny")
    with torch.no_grad(), assigner.recording(model, step=0) as recorder:
        model(input_ids=ids, attention_mask=REAL)
    assert recorder is not None
    readings = recorder.read().indicators
    assert readings is not None
    inputs = CreditInputs(
        mask=MASK, entropy=torch.rand(MASK.shape), **token_readings(assigner.reader.read(recorder, MASK.shape[1]))
    )
    metrics = assign(assigner, inputs, tensor([[1.0], [-1.0]])).metrics
    sink = readings.sink_mass[0][:, -7:]  # layer 0 is a group of its own
    assert metrics["probe/sink_mass/layers_0-0"] == pytest.approx(sink[MASK].mean().item())
    assert {name.split("/")[1] for name in metrics if name.count("/") == 2} == set(INDICATORS)
