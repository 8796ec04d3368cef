"""Probe plans: which layers are read by default, and which plans are refused."""

import pytest

from attention_probes.heads import HeadRoles
from attention_probes.plan import ProbePlan, middle_layers


@pytest.mark.parametrize(
    ("num_layers", "layers"),
    # 30 layers: from 10 to 20 in steps of 2.5; halves round to even.
    [(30, (10, 12, 15, 18, 20)), (3, (1, 2)), (2, (0, 1)), (1, (0,))],
)
def test_middle_layers__span_the_middle_third(num_layers, layers):
    assert middle_layers(num_layers) == layers
    assert ProbePlan().layers_of(num_layers, num_heads=1) == layers


def test_layers_of__takes_the_layers_of_the_roles():
    roles = HeadRoles(local_heads=((4, 0),), global_heads=((2, 1), (4, 2)))
    assert ProbePlan(roles=roles).layers_of(6, num_heads=3) == (2, 4)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"window": 0}, "window must be at least 1"),
        ({"horizon": (5, 4)}, "nearest <= farthest"),
        ({"boundary_window": 0}, "boundary_window"),
        ({"layers": (1,), "roles": HeadRoles(local_heads=((0, 0),), global_heads=((1, 0),))}, "roles name heads"),
    ],
)
def test_probe_plan__refuses_contradictory_settings(wrong, message):
    with pytest.raises(ValueError, match=message):
        ProbePlan(**wrong)


def test_layers_of__refuses_a_layer_that_the_model_lacks():
    with pytest.raises(ValueError, match="layers 0 to 3"):
        ProbePlan(layers=(2, 4)).layers_of(4, num_heads=1)


def test_layers_of__refuses_roles_of_a_larger_model():
    roles = HeadRoles(local_heads=((1, 0),), global_heads=((1, 9),))
    with pytest.raises(ValueError, match=r"heads \[\(1, 9\)\]; each layer of this model has heads 0 to 8"):
        ProbePlan(roles=roles).layers_of(4, num_heads=9)
