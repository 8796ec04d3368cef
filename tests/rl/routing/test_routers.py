"""Routers: logits become gates, tasks become labels, and fitting finds what prompts have in common."""

import pytest
import torch
from peft import PeftModel, get_peft_model

from rl.common.errors import UserError
from rl.config.model import AdapterConfig
from rl.config.routing import RoutingConfig
from rl.models.load import load_model
from rl.models.lora import lora_config
from rl.models.tokenization import pad_right
from rl.routing.features import attended_features, token_features
from rl.routing.fit import assign_with_capacity, fit
from rl.routing.route import Route, add_adapters, load_balancing_loss
from rl.routing.routers import gates_from_logits

NAMES = ("left", "right", "up")


def route_of(**settings) -> Route:
    torch.manual_seed(0)
    policy = get_peft_model(load_model("tiny"), lora_config(AdapterConfig(r=2, alpha=4)))
    assert isinstance(policy, PeftModel)
    return add_adapters(policy, AdapterConfig(r=2, alpha=4), RoutingConfig(adapters=NAMES, **settings))


def families(each: int = 24) -> tuple[list[list[int]], list[str]]:
    """Prompts of three kinds: each draws most of its tokens from its own words."""
    generator = torch.Generator().manual_seed(0)
    prompts, tasks = [], []
    for index in range(3 * each):
        specific = 40 + 20 * (index % 3) + torch.randint(6, (6,), generator=generator)
        shared = 10 + torch.randint(20, (3,), generator=generator)
        prompts.append([1, *specific.tolist(), *shared.tolist()])
        tasks.append(NAMES[index % 3])
    return prompts, tasks


def test_gates_from_logits__keeps_the_largest():
    scores = torch.tensor([[0.0, 2.0, 1.0], [1.0, 1.0, 1.0]])
    assert gates_from_logits(scores, 1).tolist() == [[0, 1, 0], [1, 0, 0]]
    e = torch.e
    torch.testing.assert_close(gates_from_logits(scores, 2)[0], torch.tensor([0, e / (1 + e), 1 / (1 + e)]))
    torch.testing.assert_close(gates_from_logits(scores, None), scores.softmax(dim=-1))


def test_load_balancing_loss__is_one_at_equal_use_and_n_at_single_use():
    assert load_balancing_loss(torch.eye(3)).item() == pytest.approx(1)
    assert load_balancing_loss(torch.tensor([[1.0, 0, 0]] * 3)).item() == pytest.approx(3)


def test_assign_with_capacity__gives_centres_no_more_than_their_share():
    likeness = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.7, 0.6], [0.1, 0.0]])
    assert assign_with_capacity(likeness, 2).tolist() == [0, 0, 1, 1]
    assert assign_with_capacity(likeness, 1).tolist() == [0, -1, 1, -1]


def test_task_router__opens_the_task_s_adapter():
    route = route_of(router="task", tasks={"shout": "up"})
    assert route.gates([[1, 2], [3]], ["shout", "left"]).tolist() == [[0, 0, 1], [1, 0, 0]]
    with pytest.raises(ValueError, match="no adapter is meant for task 'whisper'"):
        route.gates([[1]], ["whisper"])
    with pytest.raises(ValueError, match="1 prompts came with 0 tasks"):
        route.gates([[1]])


def test_fixed_router__gives_all_prompts_the_same_gates():
    route = route_of(router="fixed", weights={"left": 0.25, "up": 0.75}, top=None)
    assert route.gates([[1, 2], [3]]).tolist() == [[0.25, 0, 0.75]] * 2


@pytest.mark.parametrize(
    "settings", [{"router": "attention"}, {"router": "attention", "layer": 1}, {"router": "probe"}]
)
def test_fit__learns_labels_that_hold_for_new_prompts(settings):
    route, (prompts, tasks) = route_of(fit_steps=60, **settings), families()
    fit(route.router, route.policy, prompts[:48], tasks[:48], seed=0)
    metrics = route.metrics(route.gates(prompts[48:]), tasks[48:])
    assert metrics["routing/agreement"] > 0.9
    assert metrics["routing/entropy"] == 0  # top 1
    assert {parameter.requires_grad for parameter in route.router.parameters()} == {False}


def test_fit__finds_kmeans_clusters_without_labels():
    route, (prompts, tasks) = route_of(router="kmeans", fit_steps=40), families()
    fit(route.router, route.policy, prompts[:48], ["unknown"] * 48, seed=0)
    owners = route.gates(prompts[48:]).argmax(dim=1).tolist()
    owners_by_family = [
        {owner for owner, task in zip(owners, tasks[48:], strict=True) if task == name} for name in NAMES
    ]
    assert all(len(owner) == 1 for owner in owners_by_family)
    assert len(set.union(*owners_by_family)) == 3


def test_fit__repeats_and_does_not_depend_on_the_adapters():
    prompts, tasks = families(8)
    states = []
    for trained in (False, True):
        route = route_of(router="attention", fit_steps=5)
        if trained:
            for name, weight in route.policy.named_parameters():
                if "lora_B" in name:
                    torch.nn.init.normal_(weight)
        torch.manual_seed(1)
        torch.nn.init.zeros_(route.router.out.weight)  # pyright: ignore
        fit(route.router, route.policy, prompts, tasks, seed=0)
        states.append(route.router.state_dict())
    assert states[0] and all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_features__do_not_depend_on_padding():
    route = route_of(router="probe")
    short, long = [1, 40, 41, 42], [1, *range(50, 60)]
    ids, mask = pad_right([short, long])
    alone = pad_right([short])
    torch.testing.assert_close(
        attended_features(route.policy, ids, mask)[:1], attended_features(route.policy, *alone), atol=1e-5, rtol=0
    )
    deep = token_features(route.policy, ids, mask, layer=1)[:1, :4]
    torch.testing.assert_close(deep, token_features(route.policy, *alone, layer=1), atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match=r"routing\.layer=3, but the model has 2 layers"):
        token_features(route.policy, ids, mask, layer=3)


def test_add_adapters__refuses_a_name_that_torch_needs():
    policy = get_peft_model(load_model("tiny"), lora_config(AdapterConfig(r=2)))
    assert isinstance(policy, PeftModel)
    with pytest.raises(UserError, match="torch does not take 'items' as a module's name"):
        add_adapters(policy, AdapterConfig(r=2), RoutingConfig(adapters=("left", "items")))
