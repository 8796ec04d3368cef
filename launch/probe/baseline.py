"""`heed probe baseline`: fits and saves the readings to expect of a model's heads whatever the text says."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from attention_probes.heads import HeadRoles
from attention_probes.null_baseline import NullBaseline, NullBaselineFitter
from attention_probes.record import ProbePlan, Readings
from launch.probe.calibration_texts import CalibrationTexts, generate_calibration_texts, read_calibration_texts
from rl.common.errors import UserError
from rl.config.model import ModelConfig
from rl.models.load import configured_tokenizer, load_model

HELD_OUT_EVERY = 4
"""Every fourth batch is left out of the fit, to measure how well the fit generalises."""


def fit_baseline(
    model: str,
    *,
    out: Path,
    template_values: dict[str, Any] | None = None,
    num_prompts: int = 64,
    max_new_tokens: int = 64,
    seed: int = 0,
    horizon: tuple[int, int] = (10, 100),
    window: int = 10,
    roles: Path | None = None,
    as_written: bool = False,
) -> dict[str, Any]:
    """Let the model answer built-in prompts, shuffle the tokens of each text, fit, and save to `out`.

    Shuffled tokens have no content to attend to, so what is left is position, sink and locality; `as_written` fits
    ordinary text instead. Returns, over texts that were not fitted, the mean reading, the mean residual and the share
    of the readings' variance that the baseline explains. Raises UserError for fewer than four batches of prompts.
    """
    plan = ProbePlan(
        roles=None if roles is None else HeadRoles.load(roles), horizon=horizon, window=window, per_head=True
    )
    tokenizer = configured_tokenizer(ModelConfig(name=model, chat_template_kwargs=template_values or {}))
    policy = load_model(model)
    batches = list(
        generate_calibration_texts(policy, tokenizer, num_prompts=num_prompts, max_new_tokens=max_new_tokens, seed=seed)
    )
    if len(batches) < HELD_OUT_EVERY:
        raise UserError(f"got --num-prompts {num_prompts}; a fit and texts to test it on need at least 25")
    if not as_written:
        batches = [shuffled(batch, seed=seed) for batch in batches]
    held_out = batches[::HELD_OUT_EVERY]
    fitted = [batch for index, batch in enumerate(batches) if index % HELD_OUT_EVERY]
    baseline = baseline_of(policy, fitted, plan)
    out.parent.mkdir(parents=True, exist_ok=True)
    baseline.save(out)
    return {
        "model": model,
        "layers": baseline.layers,
        "texts": "as written" if as_written else "shuffled",
        "fitted_tokens": sum(int(batch.real.sum()) for batch in fitted),
        "held_out": _held_out_metrics(baseline, [read_calibration_texts(policy, batch, plan) for batch in held_out]),
    }


def baseline_of(policy: Any, batches: Iterable[CalibrationTexts], plan: ProbePlan) -> NullBaseline:
    """Return the mean readings of texts, by a plan that is `per_head`."""
    fitter = NullBaselineFitter(plan)
    for batch in batches:
        fitter.update(read_calibration_texts(policy, batch, plan))
    return fitter.baseline()


def shuffled(batch: CalibrationTexts, *, seed: int) -> CalibrationTexts:
    """Return the same tokens in each row, the first where it was (it may be the sink), the others in random order."""
    generator = torch.Generator().manual_seed(seed)
    ids = batch.ids.clone()
    for row, real in zip(ids, batch.real, strict=True):
        positions = real.nonzero().flatten()[1:]
        row[positions] = row[positions[torch.randperm(len(positions), generator=generator)]]
    return replace(batch, ids=ids)


def _held_out_metrics(baseline: NullBaseline, held_out: list[Readings]) -> dict[str, dict[str, float]]:
    """Return, for FAI and WAAD, how well the baseline fits the readings."""
    metrics = {}
    for index, name in enumerate(("fai", "waad")):
        values = [_real_values(getattr(readings.heads, name), readings.real) for readings in held_out]
        residuals = [_real_values(baseline.residuals(readings)[index], readings.real) for readings in held_out]
        metrics[name] = _metrics(torch.cat(values, dim=1), torch.cat(residuals, dim=1))
    return metrics


def _real_values(values: Tensor, real: Tensor) -> Tensor:
    """Return the values at real tokens, head by head, (L * H, N)."""
    return values.permute(0, 2, 1, 3).flatten(0, 1)[:, real]


def _metrics(values: Tensor, residuals: Tensor) -> dict[str, float]:
    """Return means over heads and tokens; `explained` is 1 - var(residual) / var(value), both within heads."""
    explained = 1.0 - residuals.var(dim=1).sum() / values.var(dim=1).sum()
    metrics = {"mean": values.mean(), "mean_residual": residuals.mean(), "explained": explained}
    return {name: round(value.item(), 5) for name, value in metrics.items()}
