"""TRL arguments: the one place where a config becomes TRL's GRPOConfig or DPOConfig."""

from pathlib import Path
from typing import Any, TypeVar

from torch import nn
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.grpo_config import GRPOConfig

from rl.common.device import visible_gpus
from rl.common.distributed import deepspeed_config
from rl.common.errors import UserError
from rl.config.distributed import DistributedConfig, zero_bucket
from rl.config.root import Config
from rl.config.trainer import GRPO_ONLY, OWN
from rl.tracking.metrics import trl_trackers

Arguments = TypeVar("Arguments", GRPOConfig, DPOConfig)


def grpo_arguments(config: Config, *, folder: Path, bf16: bool) -> GRPOConfig:
    """Return TRL's arguments for a GRPO run in `folder`; `bf16` says whether the model computes in bfloat16.

    Every field of `config.trainer` is stated under its own name, also `loss_type`, `scale_rewards` and `beta`, so that
    a default that changes upstream cannot change an experiment. Raises UserError when TRL refuses the settings.
    """
    return _construct(GRPOConfig, {**_trainer(config), **_common(config, folder=folder, bf16=bf16)})


def dpo_arguments(config: Config, *, folder: Path, bf16: bool) -> DPOConfig:
    """Return TRL's arguments for a DPO run: `config.dpo`, and the fields of `config.trainer` that DPO has too."""
    shared = {name: value for name, value in _trainer(config).items() if name not in GRPO_ONLY}
    settings = config.dpo.model_dump()
    lists = {name: settings[name] and list(settings[name]) for name in ("loss_type", "loss_weights")}
    return _construct(DPOConfig, {**shared, **settings, **lists, **_common(config, folder=folder, bf16=bf16)})


def _trainer(config: Config) -> dict[str, Any]:
    # `max_steps` says how many steps the epochs are.
    return config.trainer.model_dump(exclude={"num_train_epochs", *OWN})


def _common(config: Config, *, folder: Path, bf16: bool) -> dict[str, Any]:
    cuda = visible_gpus() > 0
    return {
        # It looks at every loss; `divergence` stops the run before one that is not finite counts.
        "logging_nan_inf_filter": False,
        **config.trl,
        # transformers 5.23 renames the field and warns whenever only the old name is set.
        "activation_checkpointing": config.trainer.gradient_checkpointing,
        **({"multi_objective_aggregation": "normalize_then_sum"} if config.rewards.balance else {}),
        "output_dir": str(folder),
        "run_name": config.run.name,
        "project": config.tracking.project,
        "report_to": trl_trackers(config.tracking) or "none",
        "data_seed": config.trainer.seed,
        "bf16": bf16,
        "fp16": False,
        "use_cpu": not cuda,
        "dataloader_pin_memory": cuda,
        "remove_unused_columns": False,
        "disable_tqdm": True,
        "save_strategy": "steps",
        **_ranks(config.distributed),
    }


def _ranks(distributed: DistributedConfig) -> dict[str, Any]:
    backend = {} if visible_gpus() or distributed.processes == 1 else {"ddp_backend": "gloo"}
    shared = deepspeed_config(distributed)
    return backend if shared is None else {**backend, "deepspeed": shared}


def size_buckets(settings: dict[str, Any], model: nn.Module) -> None:
    """Size the buckets in DeepSpeed's settings to what the model trains; its own would take a gigabyte for a LoRA."""
    trained: list[Any] = [weight for weight in model.parameters() if weight.requires_grad]
    size = zero_bucket(sum(getattr(weight, "ds_numel", weight.numel()) for weight in trained))
    settings["zero_optimization"] |= {"reduce_bucket_size": size, "allgather_bucket_size": size}


def _construct(kind: type[Arguments], stated: dict[str, Any]) -> Arguments:
    try:
        arguments = kind(**stated)
    except (TypeError, ValueError) as error:
        raise UserError(f"TRL refuses these settings: {error}") from error
    if arguments.n_gpu > 1:  # a single process that sees several: DataParallel would use them all, and TRL refuses it
        arguments._n_gpu = 1
    return arguments
