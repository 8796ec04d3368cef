"""Environment variables that libraries read when they are imported, set before that."""

import os
import warnings
from typing import TYPE_CHECKING

from launch.install import has_nvidia_driver
from rl.common.gpu_environment import GPU_ENVIRONMENT
from rl.common.model_names import TINY
from rl.models.builtin import builtin_path, is_builtin

if TYPE_CHECKING:  # `heed --help` need not wait for pydantic
    from rl.config.root import Config

QUIET = {
    "TOKENIZERS_PARALLELISM": "false",  # else it warns at every fork
    "TRL_EXPERIMENTAL_SILENCE": "1",  # for `rollout_func`, which one file uses and the parity tests guard
    "RAY_USAGE_STATS_ENABLED": "0",
}


def prepare_environment(config: "Config | None" = None) -> None:
    """Set variables that are not set yet, and silence warnings that no user can mend.

    A run whose model and data are on this machine does not connect to the hub.
    """
    variables = QUIET | (GPU_ENVIRONMENT if sees_gpus() else {"DS_ACCELERATOR": "cpu"})
    if config is not None and needs_no_hub(config):
        variables["HF_HUB_OFFLINE"] = "1"
    for name, value in variables.items():
        os.environ.setdefault(name, value)
    # transformers warns about deprecated properties that it uses itself.
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")


def sees_gpus() -> bool:
    """Whether there is an NVIDIA driver, and CUDA_VISIBLE_DEVICES does not hide all GPUs; asked without torch."""
    return has_nvidia_driver() and os.environ.get("CUDA_VISIBLE_DEVICES") not in ("", "-1")


def needs_no_hub(config: "Config") -> bool:
    """Whether the data are generated, and the model is `tiny`, or the built-in one and in the cache."""
    name = config.model.name
    return config.data.path is None and (name == TINY or (is_builtin(name) and builtin_path().is_dir()))
