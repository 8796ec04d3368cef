"""Target: what an evaluation is of: a model by name, a run's adapter or a bundle of adapters."""

from dataclasses import dataclass
from pathlib import Path

from peft import PeftModel
from transformers import PreTrainedModel

from rl.common.errors import UserError
from rl.common.plugins import newest_copy
from rl.config.load import load_run_config
from rl.config.model import ModelConfig
from rl.config.root import Config
from rl.models.load import load_base_model
from rl.models.saved_adapter import SETTINGS, adapted
from rl.routing.bundle import DESCRIPTION, load_routed, read_description
from rl.routing.route import Route
from rl.runs.resume import resume_command


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A policy to be evaluated; its adapters are found in `folder`, if it has any."""

    config: Config
    folder: Path | None


def is_run(target: str) -> bool:
    """Return whether a target is a run folder."""
    return Path(target, "config.yaml").is_file()


def find_target(target: str) -> Target:
    """Return a run's settings, a bundle's, or the default ones for a model."""
    folder = Path(target)
    if is_run(target):
        return Target(config=load_run_config(folder), folder=folder)
    if (folder / DESCRIPTION).is_file():
        description = read_description(folder)
        values = description.get("chat_template_kwargs", {})  # bundles of earlier versions have none
        return Target(
            config=Config(model=ModelConfig(name=description["base_model"], chat_template_kwargs=values)), folder=folder
        )
    return Target(config=Config(model=ModelConfig(name=target)), folder=None)


def load_policy(target: Target) -> tuple[PreTrainedModel | PeftModel, Route | None]:
    """Load the base model with the target's adapters on it, and their router. Raises UserError without a finite one."""
    model = base_of_run(target.config.model, target.folder)
    if target.folder is None:
        return model, None
    return with_adapter(model, target.folder)


def base_of_run(settings: ModelConfig, folder: Path | None) -> PreTrainedModel:
    """Load the base model as settings say; a run's own copy of its calibration goes before the file itself."""
    if folder is not None and settings.calibration is not None and (copy := newest_copy(settings.calibration, folder)):
        settings = settings.model_copy(update={"calibration": copy})
    return load_base_model(settings)


def with_adapter(model: PreTrainedModel, folder: Path) -> tuple[PeftModel, Route | None]:
    """Return the base model with the adapters of a run or a bundle on it, and their router if it has one.

    Raises UserError without a finite adapter.
    """
    adapter = adapter_folder(folder)
    if adapter is None:
        route = load_routed(folder, model)
        return route.policy, route
    return adapted(model, adapter), None


def adapter_folder(folder: Path) -> Path | None:
    """Return the adapter of a run, or None for a bundle. Raises UserError for a run without one."""
    if (folder / "bundle").is_dir() or (folder / DESCRIPTION).is_file():
        return None
    adapter = folder / "adapters" / "default"
    if not (adapter / SETTINGS).is_file():
        raise UserError(
            f"{folder} has no adapters/default: the run has not finished; continue it with {resume_command(folder)}"
        )
    return adapter
