"""The assigner: from one forward pass of the loss to token weights under the configured rule."""

import math

import pytest
import torch
from torch import Tensor, tensor

from rl.config import Credit, Probe
from rl.credit.assigner import CreditAssigner, completion_view
from rl.credit.rules import View
from rl.models import load_model

# Two rows of a prompt of 5 and a completion of 7 tokens: the first is padded on the left, the second on the right.
REAL = tensor([[0, 0] + [1] * 10, [1] * 9 + [0] * 3])
MASK = REAL[:, -7:].bool()


def make_assigner(*, probe: Probe | None = None, seed: int = 0, **credit) -> CreditAssigner:
    return CreditAssigner(Credit(**credit), probe or Probe(window=4, horizon=(1, 4)), seed=seed)


def hear(assigner: CreditAssigner) -> View:
    ids = torch.randint(3, 512, REAL.shape, generator=torch.Generator().manual_seed(0))
    model = load_model("tiny")
    with torch.no_grad(), assigner.listening(model) as tape:
        model(input_ids=ids, attention_mask=REAL)
    return completion_view(tape, MASK, torch.rand(MASK.shape))


def weights(assigner: CreditAssigner, view: View, *, step: int = 0, micro_step: int = 0) -> Tensor:
    return assigner.weights(view, step=step, micro_step=micro_step)


@pytest.mark.parametrize(
    ("rule", "listen", "listens"),
    [
        ("uniform", "auto", False),
        ("uniform", "always", True),
        ("random", "auto", False),
        ("global_anchor", "auto", True),
    ],
)
def test_the_probe_listens_only_where_it_must(rule, listen, listens):
    assigner = make_assigner(rule=rule, probe=Probe(listen=listen, horizon=(1, 4)))
    assert assigner.listens is listens
    view = hear(assigner)
    assert (view.fai is not None) == (view.waad is not None) == listens


def test_readings_are_those_of_the_completion():
    view = hear(make_assigner(rule="global_anchor"))
    assert view.fai is not None and view.waad is not None
    assert view.fai.shape == view.waad.shape == (2, 7)
    assert bool((view.waad[MASK] > 0.0).all())
    assert bool((view.waad[~MASK] == 0.0).all())


def test_weights_of_a_rule_keep_law_3():
    assigner = make_assigner(rule="global_anchor", floor=0.25)
    shared = weights(assigner, hear(assigner))
    assert bool((shared[MASK] >= 0.25).all())
    assert bool((shared[~MASK] == 0.0).all())
    assert torch.allclose(shared.sum(dim=1) / MASK.sum(dim=1), tensor([1.0, 1.0]))
    # q 0.4 of 7 and of 4 tokens are 3 and 2
    assert [(row > 1.0).sum().item() for row in shared] == [3, 2]


def test_the_control_repeats_itself_and_changes_with_every_micro_step():
    view = View(mask=torch.ones(4, 30, dtype=torch.bool), entropy=torch.zeros(4, 30))
    first = weights(make_assigner(rule="random"), view, step=3, micro_step=7)
    assert torch.equal(weights(make_assigner(rule="random"), view, step=3, micro_step=7), first)
    for other in (
        weights(make_assigner(rule="random"), view, step=4, micro_step=7),
        weights(make_assigner(rule="random"), view, step=3, micro_step=8),
        weights(make_assigner(rule="random", seed=1), view, step=3, micro_step=7),
    ):
        assert not torch.equal(other, first)


def test_the_control_leaves_the_random_state_alone():
    view = View(mask=torch.ones(4, 30, dtype=torch.bool), entropy=torch.zeros(4, 30))
    state = torch.get_rng_state()
    weights(make_assigner(rule="random"), view)
    assert torch.equal(torch.get_rng_state(), state)


def test_only_positive_advantages_are_shaped_where_the_config_says_so():
    assigner = make_assigner(rule="random", sign="positive")
    shared = assigner.advantages(tensor([1.0, -1.0]), tensor([[0.5, 1.5], [0.5, 1.5]]), torch.ones(2, 2).bool())
    assert shared.tolist() == [[0.5, 1.5], [-1.0, -1.0]]


def test_what_was_heard_is_logged():
    assigner = make_assigner(rule="global_anchor")
    view = hear(assigner)
    figures = assigner.metrics(view, weights(assigner, view))
    assert figures["probe/fai_mean"] == pytest.approx(view.fai[MASK].mean().item())
    assert figures["probe/waad_mean"] == pytest.approx(view.waad[MASK].mean().item())
    assert all(not math.isnan(value) for value in figures.values())


def test_without_listening_no_reading_is_logged():
    assigner = make_assigner(rule="uniform")
    view = hear(assigner)
    assert not any(name.startswith("probe/") for name in assigner.metrics(view, weights(assigner, view)))


def test_entropy_carries_no_gradient():
    view = completion_view(None, MASK, torch.rand(MASK.shape, requires_grad=True))
    assert not view.entropy.requires_grad
