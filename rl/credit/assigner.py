"""The assigner: listens to the loss's own forward pass and turns what it reads into token advantages."""

from contextlib import AbstractContextManager, nullcontext

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from attention_probes.listen import ProbePlan, Tape, listen
from rl.config import Credit, Probe
from rl.credit.metrics import concentration
from rl.credit.promises import keep_promises, spread
from rl.credit.rules import READING_RULES, RULES, Amplifier, View


class CreditAssigner:
    """Token weights for one micro-batch at a time, by the configured rule, under law 3's promises."""

    def __init__(self, credit: Credit, probe: Probe, *, seed: int):
        self.credit = credit
        self.plan = ProbePlan(layers=probe.layers, window=probe.window, horizon=probe.horizon)
        self.listens = probe.listen == "always" or credit.rule in READING_RULES
        self.seed = seed

    def listening(self, model: nn.Module) -> AbstractContextManager[Tape | None]:
        """Listen to `model` if the rule or the config asks for readings."""
        return listen(model, self.plan) if self.listens else nullcontext()

    def weights(self, view: View, *, step: int, micro_step: int) -> Float[Tensor, "B T"]:
        """Weights that keep law 3; the same for the same view, step and micro-step."""
        generator = torch.Generator().manual_seed(hash((self.seed, step, micro_step)) % 2**63)
        settings = self.credit
        amplifier = Amplifier(
            q=settings.q,
            gamma_amp=settings.gamma_amp,
            generator=generator,
            alpha=settings.alpha,
            reach=settings.reach,
        )
        raw = RULES[settings.rule](view, amplifier)
        return keep_promises(raw, view.mask, floor=settings.floor, preserve_mass=settings.preserve_mass)

    def advantages(self, advantages: Float[Tensor, " B"], weights: Tensor, mask: Tensor) -> Float[Tensor, "B T"]:
        return spread(advantages, weights, mask, sign=self.credit.sign)

    def metrics(self, view: View, weights: Tensor) -> dict[str, float]:
        """What is logged of this micro-batch: concentration, and the mean readings if the probe listened."""
        figures = concentration(weights, view.entropy, view.mask, self.credit.q)
        for name, reading in (("probe/fai", view.fai), ("probe/waad", view.waad)):
            if reading is not None:
                figures[f"{name}_mean"] = reading[view.mask].mean().item()
        return figures


def completion_view(tape: Tape | None, mask: Bool[Tensor, "B T"], entropy: Tensor) -> View:
    """What the tape holds of the completion: the last T positions of the forward pass."""
    if tape is None:
        return View(mask=mask, entropy=entropy.detach().float())
    readings = tape.read()
    length = mask.shape[1]
    return View(
        mask=mask, entropy=entropy.detach().float(), fai=readings.fai[:, -length:], waad=readings.waad[:, -length:]
    )
