"""`heed probe baseline`: what a model's heads read whatever the text says, fitted and saved."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from attention_probes.heads import HeadRoles
from attention_probes.null_baseline import NullBaseline, NullBaselineFitter
from attention_probes.record import ProbePlan, Readings
from launch.probe.calibration_texts import CalibrationTexts, generate_calibration_texts, read_calibration_texts
from rl.common.errors import UserError
from rl.models.load import load_model, load_tokenizer

EVERY_FOURTH = 4
"""Batches whose texts are kept out of the fit, to tell how well it holds."""


def fit_baseline(
    model: str,
    *,
    out: Path,
    num_prompts: int = 64,
    max_new_tokens: int = 64,
    seed: int = 0,
    horizon: tuple[int, int] = (10, 100),
    window: int = 10,
    roles: Path | None = None,
    as_written: bool = False,
) -> dict[str, Any]:
    """Let the model answer prompts of our own, shuffle the tokens of each text, fit, and save to `out`.

    Shuffled tokens have no content to look for, so what is left is place, sink and locality; `as_written` fits ordinary
    text instead. Returns, over texts that were not fitted, the mean reading, the mean residual and the share of the
    readings' variance that the baseline explains. Raises UserError for fewer than four batches of prompts.
    """
    plan = ProbePlan(
        roles=None if roles is None else HeadRoles.load(roles), horizon=horizon, window=window, per_head=True
    )
    tokenizer, policy = load_tokenizer(model), load_model(model)
    batches = list(
        generate_calibration_texts(policy, tokenizer, num_prompts=num_prompts, max_new_tokens=max_new_tokens, seed=seed)
    )
    if len(batches) < EVERY_FOURTH:
        raise UserError(f"got --num-prompts {num_prompts}; a fit and texts to test it on need at least 25")
    if not as_written:
        batches = [shuffled(batch, seed=seed) for batch in batches]
    held_out, fitted = batches[::EVERY_FOURTH], [one for at, one in enumerate(batches) if at % EVERY_FOURTH]
    fitter = NullBaselineFitter(plan)
    for batch in fitted:
        fitter.update(read_calibration_texts(policy, batch, plan))
    baseline = fitter.baseline()
    out.parent.mkdir(parents=True, exist_ok=True)
    baseline.save(out)
    return {
        "model": model,
        "layers": baseline.layers,
        "texts": "as written" if as_written else "shuffled",
        "fitted_tokens": sum(int(batch.real.sum()) for batch in fitted),
        "held_out": _judge(baseline, [read_calibration_texts(policy, batch, plan) for batch in held_out]),
    }


def shuffled(batch: CalibrationTexts, *, seed: int) -> CalibrationTexts:
    """The same tokens in each row, its first left in place (it may be the sink), the others in random order."""
    generator = torch.Generator().manual_seed(seed)
    ids = batch.ids.clone()
    for row, real in zip(ids, batch.real, strict=True):
        places = real.nonzero().flatten()[1:]
        row[places] = row[places[torch.randperm(len(places), generator=generator)]]
    return CalibrationTexts(ids=ids, real=batch.real, written=batch.written)


def _judge(baseline: NullBaseline, held_out: list[Readings]) -> dict[str, dict[str, float]]:
    values, residuals = ([], []), ([], [])
    for readings in held_out:
        assert readings.heads is not None
        for kind, residual in enumerate(baseline.residuals(readings)):
            value = (readings.heads.fai, readings.heads.waad)[kind]
            values[kind].append(_real(value, readings.real))
            residuals[kind].append(_real(residual, readings.real))
    return {
        name: _figures(torch.cat(values[kind], dim=1), torch.cat(residuals[kind], dim=1))
        for kind, name in enumerate(("fai", "waad"))
    }


def _real(values: Tensor, real: Tensor) -> Tensor:
    """(L * H, N): the real tokens' values, head by head."""
    return values.permute(0, 2, 1, 3).flatten(0, 1)[:, real]


def _figures(values: Tensor, residuals: Tensor) -> dict[str, float]:
    """Over heads and tokens; explained is 1 - var(residual) / var(value), both within heads."""
    explained = 1.0 - residuals.var(dim=1).sum() / values.var(dim=1).sum()
    figures = {"mean": values.mean(), "mean_residual": residuals.mean(), "explained": explained}
    return {name: round(figure.item(), 5) for name, figure in figures.items()}
