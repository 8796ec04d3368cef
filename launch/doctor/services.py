"""Checks of services: wandb, the model hub, and the built-in model on this machine."""

import os
import socket

from launch.doctor.check import Check
from rl.common.cache import cache_root
from rl.models.builtin import BUILTIN, builtin_path
from rl.tracking.wandb_mode import wandb_mode

WANDB = ("api.wandb.ai", 443)
HUB = ("huggingface.co", 443)
TIMEOUT_SECONDS = 3.0
"""Seconds a connection may take."""


def check_wandb() -> Check:
    """Check in which mode wandb runs, and whether its server answers when it is online."""
    mode = wandb_mode(os.environ)
    if mode != "online":
        finding = f"{mode}: metrics stay in the run folder" if mode == "offline" else mode
        return Check(name="wandb", level="pass", finding=finding)
    if reachable(WANDB):
        return Check(name="wandb", level="pass", finding=f"online, {WANDB[0]} answers")
    return Check(
        name="wandb",
        level="warn",
        finding=f"online, but {WANDB[0]} does not answer within {TIMEOUT_SECONDS:.0f} s",
        fix="set WANDB_MODE=offline, and `wandb sync` the run folder later; a run goes on either way",
    )


def check_models() -> list[Check]:
    """Check that the built-in model is on this machine, and that others can be fetched."""
    return [_builtin(), _hub()]


def _builtin() -> Check:
    if builtin_path().is_dir():
        return Check(name="built-in model", level="pass", finding=str(builtin_path()))
    missing = f"{BUILTIN} is not in {cache_root()} yet"
    return Check(name="built-in model", level="warn", finding=missing, fix="make model")


def _hub() -> Check:
    if os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0"):
        return Check(name="model hub", level="pass", finding="offline by HF_HUB_OFFLINE: only models that are here")
    if reachable(HUB):
        return Check(name="model hub", level="pass", finding=f"{HUB[0]} answers")
    return Check(
        name="model hub",
        level="warn",
        finding=f"{HUB[0]} does not answer within {TIMEOUT_SECONDS:.0f} s",
        fix="name a model in a folder, or set HF_HUB_OFFLINE=1 so that nothing waits for the hub",
    )


def reachable(address: tuple[str, int]) -> bool:
    """Return whether something accepts a connection at the address."""
    try:
        with socket.create_connection(address, timeout=TIMEOUT_SECONDS):
            return True
    except OSError:
        return False
