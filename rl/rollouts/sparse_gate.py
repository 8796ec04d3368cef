"""Sparse gate: lets a sparse plan read prompts while its log-probs agree with dense ones, and no longer."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
from rl.models.tokenization import pad_left
from rl.rollouts.types import RolloutRequest

QUANTILE = 0.05
"""Of the tokens' agreement: nearly all of them must agree, not the average."""
MOST_PROMPTS = 4
"""Prompts that are compared; more would cost what the plan saves."""


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
    """Decides every `settings.every` optimizer steps, on the first request's prompts, how the next ones are read.

    Each decision goes to `record`; given those of before as `decisions`, a resumed run samples as an undisturbed one.
    """

    def __init__(
        self,
        model: Any,
        settings: SparseConfig,
        *,
        decisions: Sequence[dict[str, Any]],
        record: Callable[[dict[str, Any]], None],
        report: Callable[[str], None],
    ):
        self.model = model
        self.settings = settings
        self.plan = sparse_plan(settings)
        self.record = record
        self.report = report
        self._decisions = {self._period(decision["step"]): decision for decision in reversed(decisions)}
        self._metrics: dict[str, float] = {}

    @contextmanager
    def reading(self, request: RolloutRequest) -> Iterator[str]:
        """Read the prompts of a request in the block as decided; yield the plan's name, or nothing for dense."""
        admitted = self._admits(request)
        with sparse(self.model, self.plan if admitted else None) as attention:
            yield self.plan.name if admitted else ""
        density = None if attention is None else attention.mean_density()
        self._metrics |= {
            "sync/sparse_admitted": float(admitted),
            "sync/sparse_density": 1.0 if density is None else density,
        }

    def pop_metrics(self) -> dict[str, float]:
        """Return what has been measured since the last call."""
        metrics, self._metrics = self._metrics, {}
        return metrics

    def _period(self, step: int) -> int:
        return step // self.settings.every

    def _admits(self, request: RolloutRequest) -> bool:
        period = self._period(request.version)
        if period not in self._decisions:
            decision = {"step": request.version, "plan": self.plan.name, **self._measure(request.prompts)}
            self._decisions[period] = decision
            self.record(decision)
            self.report(self._line(decision))
        return self._decisions[period]["admitted"]

    def _measure(self, prompts: Sequence[Sequence[int]]) -> dict[str, Any]:
        inputs = pad_left(list(dict.fromkeys(map(tuple, prompts)))[:MOST_PROMPTS], self.model.device)
        with eval_mode(self.model), loss_precision(self.model):
            agreements, density = agreement(self.model, self.plan, inputs)
        lowest = agreements.quantile(QUANTILE).item() if len(agreements) else 1.0
        self._metrics["sync/sparse_agreement"] = lowest
        return {"agreement": lowest, "density": density, "admitted": lowest >= self.settings.agreement}

    def _line(self, decision: dict[str, Any]) -> str:
        how = "sparsely" if decision["admitted"] else "densely"
        return (
            f"step {decision['step']}: prompts are read {how}: 95 % of the log-probs of {self.plan.name} agree to "
            f"{decision['agreement']:.3f} or better with dense ones, rollouts.sparse.agreement is "
            f"{self.settings.agreement:g}, and {decision['density']:.0%} of the blocks are read"
        )
