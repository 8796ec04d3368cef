"""wandb's mode: online with a key, offline without, and as WANDB_MODE says where it says so."""

import pytest

from rl.tracking.wandb_mode import wandb_mode


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "offline"),
        ({"WANDB_API_KEY": ""}, "offline"),
        ({"WANDB_API_KEY": "k"}, "online"),
        ({"WANDB_API_KEY": "k", "WANDB_MODE": "offline"}, "offline"),
        ({"WANDB_MODE": "disabled"}, "disabled"),
    ],
)
def test_wandb_mode__from_the_environment(environment, expected, tmp_path):
    assert wandb_mode({"HOME": str(tmp_path), **environment}) == expected


def test_wandb_mode__a_login_counts(tmp_path):
    (tmp_path / ".netrc").write_text("machine api.wandb.ai login user password secret\n")
    assert wandb_mode({"HOME": str(tmp_path)}) == "online"


def test_wandb_mode__a_damaged_netrc_is_no_login(tmp_path):
    (tmp_path / ".netrc").write_text("machine\n")
    assert wandb_mode({"HOME": str(tmp_path)}) == "offline"
