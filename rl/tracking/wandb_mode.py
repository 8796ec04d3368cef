"""The mode of wandb, decided from the environment alone: online only with a key, unless WANDB_MODE says otherwise."""

from collections.abc import Mapping
from netrc import NetrcParseError, netrc
from pathlib import Path

HOST = "api.wandb.ai"


def wandb_mode(environment: Mapping[str, str]) -> str:
    """Return `online`, `offline`, or the value of WANDB_MODE."""
    return environment.get("WANDB_MODE") or ("online" if has_key(environment) else "offline")


def has_key(environment: Mapping[str, str]) -> bool:
    """Return whether `wandb login` left a key or WANDB_API_KEY holds one; the key itself is never read out."""
    if environment.get("WANDB_API_KEY"):
        return True
    path = Path(environment.get("NETRC") or Path(environment.get("HOME", "~")).expanduser() / ".netrc")
    try:
        return path.is_file() and HOST in netrc(path).hosts
    except (NetrcParseError, OSError):  # a file that wandb could not read either
        return False
