"""The environment of a verb: what the libraries read once, set before the first of them is imported."""

import os
import warnings
from typing import TYPE_CHECKING

from launch.install import has_nvidia_driver
from rl.models.builtin import builtin_path, is_builtin
from rl.models.tiny_shape import TINY

if TYPE_CHECKING:  # `heed --help` need not wait for pydantic
    from rl.config.root import Config

QUIET = {
    "TOKENIZERS_PARALLELISM": "false",  # it warns at every fork otherwise
    "TRL_EXPERIMENTAL_SILENCE": "1",  # `rollout_func`, which one file of ours meets and the parity tests guard
    "RAY_USAGE_STATS_ENABLED": "0",
}


def prepare_environment(config: "Config | None" = None) -> None:
    """Set what is not set yet, and quiet what no user can mend; a run whose model and data need no hub asks none."""
    wanted = dict(QUIET)
    if not has_nvidia_driver():
        wanted["DS_ACCELERATOR"] = "cpu"
    if config is not None and needs_no_hub(config):
        wanted["HF_HUB_OFFLINE"] = "1"
    for name, value in wanted.items():
        os.environ.setdefault(name, value)
    # transformers warns of its own use of its own deprecated properties; a user can do nothing about it.
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")


def needs_no_hub(config: "Config") -> bool:
    """Whether the data are our own, and the model is `tiny` or the built-in one and in the cache already."""
    name = config.model.name
    return config.data.path is None and (name == TINY or (is_builtin(name) and builtin_path().is_dir()))
