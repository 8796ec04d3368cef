"""Ranks: more than one is refused before anything is written."""

import pytest

from rl.config import Distributed
from rl.ranks import check_ranks


def test_one_process_is_let_through():
    check_ranks(Distributed(), {})
    check_ranks(Distributed(), {"WORLD_SIZE": "1"})


@pytest.mark.parametrize(("processes", "world"), [(2, "1"), (1, "2"), (2, "2")])
def test_several_are_refused(processes, world):
    with pytest.raises(ValueError, match=rf"processes={processes}, and WORLD_SIZE is {world}: .* not built yet"):
        check_ranks(Distributed(processes=processes), {"WORLD_SIZE": world})
