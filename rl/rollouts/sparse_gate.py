"""Sparse gate: lets a sparse plan read prompts while its log-probs agree with dense ones, and no longer."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from attention_probes.sparse.agreement import agreement
from attention_probes.sparse.attention import sparse
from attention_probes.sparse.blocks import Blocks
from attention_probes.sparse.flexprefill import FlexPrefill
from attention_probes.sparse.hip import Hip
from attention_probes.sparse.plan import SparsePlan
from attention_probes.sparse.power import Power
from attention_probes.sparse.window import Window
from rl.config.rollouts import SparseConfig
from rl.models.eval_mode import eval_mode
from rl.models.precision import loss_precision
from rl.models.tokenization import pad_left, pad_right
from rl.rollouts.interfaces import Engine
from rl.rollouts.types import RolloutRequest, Sample

QUANTILE = 0.05
"""Of the tokens' agreement: nearly all of them must agree, not the average."""
MOST_PROMPTS, MOST_COMPLETIONS, MOST_TOKENS = 4, 2, 64
"""Prompts, completions of each, and tokens of a completion that are compared; more would cost what the plan saves."""


def sparse_plan(settings: SparseConfig) -> SparsePlan:
    """Return the plan that the settings describe."""
    shared = {"block": settings.block, "dense_layers": settings.dense_layers}
    match settings.plan:
        case "window":
            return Window(**shared, blocks=settings.blocks)
        case "power":
            return Power(**shared, blocks=settings.blocks)
        case "blocks":
            return Blocks(**shared, top=settings.blocks)
        case "hip":
            return Hip(**shared, top=settings.blocks)
        case "flexprefill":
            return FlexPrefill(**shared, gamma=settings.gamma)
        case None:
            raise ValueError("rollouts.sparse.plan is null: nothing is to be sparse")


class SparseGate:
    """Decides every `settings.every` optimizer steps how prompts are read, by the completions of the first request.

    That request is read densely; the plan reads the next ones if it would have given its completions nearly the same
    log-probs, at the temperature of sampling. Each decision goes to `record`; given those of before as `decisions`, a
    resumed run samples as an undisturbed one.
    """

    def __init__(
        self,
        model: Any,
        settings: SparseConfig,
        *,
        temperature: float,
        decisions: Sequence[dict[str, Any]],
        record: Callable[[dict[str, Any]], None],
        report: Callable[[str], None],
    ):
        self.model = model
        self.settings = settings
        self.plan = sparse_plan(settings)
        self.temperature = temperature
        self.record = record
        self.report = report
        self._decisions = {self._period(decision["step"]): decision for decision in reversed(decisions)}
        self._metrics: dict[str, float] = {}

    def sample(self, request: RolloutRequest, engine: Engine) -> list[Sample]:
        """Return the engine's samples, which say by their plan how their prompt was read."""
        decision = self._decisions.get(self._period(request.version))
        if decision is None:
            samples = engine.sample(request)
            self._decide(request, samples)
            return samples
        decides = (decision["step"], decision.get("position")) == (request.version, request.position)
        if not decision["admitted"] or decides:
            self._measured(decision, density=1.0)
            return engine.sample(request)
        with sparse(self.model, self.plan) as attention:
            samples = engine.sample(request)
        density = None if attention is None else attention.mean_density()
        self._measured(decision, density=1.0 if density is None else density)
        return [replace(sample, plan=self.plan.name) for sample in samples]

    def pop_metrics(self) -> dict[str, float]:
        """Return what has been measured since the last call."""
        metrics, self._metrics = self._metrics, {}
        return metrics

    def _period(self, step: int) -> int:
        return step // self.settings.every

    def _measured(self, decision: dict[str, Any], *, density: float) -> None:
        admitted = float(decision["admitted"])
        self._metrics |= {"sync/sparse_admitted": admitted, "sync/sparse_density": density}

    def _decide(self, request: RolloutRequest, samples: Sequence[Sample]) -> None:
        """Compare both ways of reading the prompts, and note by which request."""
        measured = self._compare(request, samples)
        decision = {"step": request.version, "position": request.position, "plan": self.plan.name, **measured}
        self._decisions[self._period(request.version)] = decision
        self._metrics["sync/sparse_agreement"] = decision["agreement"]
        self._measured(decision, density=1.0)
        self.record(decision)
        self.report(self._line(decision))

    def _compare(self, request: RolloutRequest, samples: Sequence[Sample]) -> dict[str, Any]:
        """Return the agreement of some of the completions, the density, and whether the plan is admitted."""
        group, taken = request.num_generations, min(request.num_generations, MOST_COMPLETIONS)
        prompts = request.prompts[:MOST_PROMPTS]
        completions = [
            samples[row].completion_ids[:MOST_TOKENS]
            for start in range(0, len(prompts) * group, group)
            for row in range(start, start + taken)
        ]
        device = self.model.device
        ids, real = (values.to(device) for values in pad_right(completions))
        with eval_mode(self.model), loss_precision(self.model):
            values, density = agreement(
                self.model, self.plan, pad_left(prompts, device), ids, real, temperature=self.temperature
            )
        lowest = values.quantile(QUANTILE).item()
        return {"agreement": lowest, "density": density, "admitted": lowest >= self.settings.agreement}

    def _line(self, decision: dict[str, Any]) -> str:
        how = "sparsely" if decision["admitted"] else "densely"
        return (
            f"step {decision['step']}: prompts are read {how}: with {decision['plan']}, which reads "
            f"{decision['density']:.0%} of the blocks, 95 % of the completion tokens' log-probs agree to "
            f"{decision['agreement']:.3f} or better with dense ones; rollouts.sparse.agreement is "
            f"{self.settings.agreement:g}"
        )
