"""Device: what the machine's GPUs are used for, from counts alone."""

import pytest

from rl.common.device import check_gpus, idle_gpus


def test_check_gpus__more_ranks_than_gpus_are_refused():
    check_gpus(8, 8)
    check_gpus(1, 2)
    check_gpus(4, 0)  # on CPUs
    with pytest.raises(ValueError, match="puts 3 ranks on this machine, each of which needs a GPU, and 2 can be seen"):
        check_gpus(3, 2)


def test_idle_gpus__says_what_a_run_leaves_unused():
    assert idle_gpus(1, 0, workers=0) is None and idle_gpus(2, 2, workers=0) is None
    use = "Training on 1 of the 2 GPUs that can be seen here"
    assert idle_gpus(1, 2, workers=0) == f"{use}; distributed.processes=2 would train on all"
    assert idle_gpus(1, 2, workers=2) == use
