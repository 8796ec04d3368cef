"""Fitted probes: head roles and null baselines, fitted to the model that an arm starts from, on prompts of its task."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import transformers

from attention_probes.heads import HeadRoles
from attention_probes.plan import ProbePlan, middle_layers
from data.problems import Problem
from launch.bench.tasks import Budget, HeldOutScore, Task
from launch.probe.baseline import baseline_of, shuffled
from launch.probe.calibrate import tally_heads
from launch.probe.calibration_texts import answer_problems
from rl.common.cache import build_once
from rl.config.load import parse_config
from rl.config.root import Config
from rl.models.load import configured_tokenizer, load_model
from rl.trainers.base import AdapterTrainer

FIT_SEED, NUM_TEXTS = 3_000_017, 256
"""The stream of the prompts that are fitted to, of which no arm draws any, and how many of them."""
SHARE = 0.3
"""Of the heads that are read, for each role (arXiv 2510.13554, section 2)."""
ROLES, BASELINE = "roles.json", "baseline.safetensors"


@dataclass(frozen=True, kw_only=True)
class FittedTask:
    """A task whose probe reads heads by their fitted roles, or as the difference to a fitted baseline."""

    task: Task
    roles: bool = False
    baseline: bool = False

    @property
    def budget(self) -> Budget:
        return self.task.budget

    def settings(self, seed: int, budget: Budget) -> dict[str, Any]:
        tree = self.task.settings(seed, budget)
        folder = self._fit(parse_config(tree), budget)
        files = {"roles": folder / ROLES} if self.roles else {}
        files |= {"baseline": folder / BASELINE} if self.baseline else {}
        return tree | {"probe": tree["probe"] | {name: str(path) for name, path in files.items()}}

    def problems(self, config: Config, seed: int, budget: Budget) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
        return self.task.problems(config, seed, budget)

    def held_out_score(self, trainer: AdapterTrainer, config: Config, held_out: Sequence[Problem]) -> HeldOutScore:
        return self.task.held_out_score(trainer, config, held_out)

    def _fit(self, config: Config, budget: Budget) -> Path:
        """Return a folder with the roles, and the baseline of the heads that are read."""
        model = Path(config.model.name).resolve()
        setup = f"{model} {config.probe} {self.roles} {FIT_SEED} {NUM_TEXTS} {SHARE} {transformers.__version__}"
        digest = hashlib.sha256(setup.encode()).hexdigest()[:8]
        problems, _ = self.task.problems(config, FIT_SEED, budget)
        return build_once(
            f"{model.name}-probe-{digest}",
            lambda folder: fit_probe(config, problems[:NUM_TEXTS], folder, by_role=self.roles),
        )


def fit_probe(config: Config, problems: Sequence[Problem], folder: Path, *, by_role: bool) -> None:
    """Fit roles, and a baseline of all heads or of those with a role, to the model's answers; save both."""
    policy, tokenizer = load_model(config.model.name), configured_tokenizer(config.model)
    longest = config.trainer.max_completion_length
    texts = list(answer_problems(policy, tokenizer, problems, max_new_tokens=longest))
    layers = middle_layers(policy.config.get_text_config().num_hidden_layers)
    roles: HeadRoles = tally_heads(policy, texts, layers, ignore_first=True).spans.roles(SHARE)
    roles.save(folder / ROLES)
    plan = ProbePlan(
        roles=roles if by_role else None, horizon=config.probe.horizon, window=config.probe.window, per_head=True
    )
    without_content = [shuffled(batch, seed=number) for number, batch in enumerate(texts)]
    baseline_of(policy, without_content, plan).save(folder / BASELINE)
