"""`heed probe`: what a model attends to while it writes one completion, as JSON, tensors and a page."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from safetensors.torch import save_file
from torch import Tensor

from attention_probes.constraint_attention import Looks, constraint_attention, looks, prompt_spans
from attention_probes.heads import HeadRoles, head_spans
from attention_probes.html_page import ConstraintCurve, ProbePage, TokenReading, null_for_nan, render_page
from attention_probes.record import ProbePlan, Readings, record_attention
from attention_probes.rhythm import find_rhythm
from launch.probe.text import ProbedText, probed_text
from rl.common.atomic import write_json, write_text
from rl.common.errors import UserError
from rl.config.credit import CreditConfig, ProbeConfig
from rl.credit.assigner import CreditAssigner
from rl.credit.inputs import CreditInputs
from rl.models.load import load_model, load_tokenizer

# Axes: S tokens of prompt and completion, T of the completion, C constraints; all of one text, so B = 1.

MEANINGS = {
    "FAI": "Future attention influence: mean attention that a token gets from those 10 to 100 after it.",
    "WAAD": "Windowed average attention distance: how far back a token looks, counting at most 10 tokens.",
    "credit": "Weight of the token's advantage under the coupled rule.",
}


def run_probe(
    model: str,
    prompt: str,
    *,
    out: Path,
    completion: str | None = None,
    generate: bool = False,
    constraints: Sequence[str] = (),
    roles: Path | None = None,
    max_new_tokens: int = 128,
    figures: bool = False,
) -> dict[str, Any]:
    """Read one text and write `readings.json`, `readings.safetensors` and `page.html` into `out`.

    The completion is given, or else generated greedily. `constraints` are the passages of the prompt that state a rule,
    `roles` a file of `heed probe calibrate`; `figures` draws what the page shows as PNG files too. Returns what
    `readings.json` holds. Raises UserError for neither or both kinds of completion, an empty completion, and a
    constraint that the prompt does not contain.
    """
    if generate == (completion is not None):
        raise UserError("give either a completion or generate, and not both")
    tokenizer, policy = load_tokenizer(model), load_model(model)
    text = probed_text(tokenizer, policy, prompt, completion, constraints, max_new_tokens)
    plan = ProbePlan(roles=None if roles is None else HeadRoles.load(roles), per_head=True)
    marked = torch.tensor([list(text.constraints.values())], dtype=torch.bool).reshape(1, -1, len(text.ids))
    spans = prompt_spans(marked, ~text.written())
    with torch.no_grad(), record_attention(policy, plan, spans=spans) as recorder:
        policy(input_ids=torch.tensor([text.ids]), logits_to_keep=1, use_cache=False)
    readings = recorder.read()
    page = _page(model, text, plan, readings, spans)
    findings = null_for_nan(_findings(model, text, page))
    write_json(out / "readings.json", findings)
    save_file(_tensors(text, readings, spans), out / ".readings.tmp")
    (out / ".readings.tmp").replace(out / "readings.safetensors")
    write_text(out / "page.html", render_page(page))
    if figures:
        _draw(page, out)
    return findings


def _draw(page: ProbePage, out: Path) -> None:
    from attention_probes.plots import constraint_plot, head_plot, rhythm_plot  # matplotlib takes a second

    drawn = {"rhythm": rhythm_plot(page), "heads": head_plot(page)}
    if page.constraints:
        drawn["constraints"] = constraint_plot(page.constraints)
    for name, figure in drawn.items():
        figure.savefig(out / f"{name}.png")


def print_findings(findings: dict[str, Any], *, num_tokens: int = 10) -> None:
    """The tokens that are looked back to most, and how much each constraint was looked at."""
    console = Console()
    written = findings["tokens"][findings["num_prompt_tokens"] :]
    table = Table("place", "token", "FAI", "WAAD", "marks", title="Looked back to most")
    for token in sorted(written, key=lambda token: -token["fai"])[:num_tokens]:
        figures = (f"{token['fai']:.4f}", f"{token['waad']:.2f}")
        table.add_row(str(token["place"]), repr(token["text"]), *figures, ", ".join(token["marks"]))
    console.print(table)
    if findings["constraints"]:
        table = Table("constraint", "relative attention", "looked at", title="Constraints")
        for rule in findings["constraints"]:
            figure = "undefined" if rule["mean"] is None else f"{rule['mean']:.2f}"
            table.add_row(rule["name"], figure, "yes" if rule["looked"] else "hardly")
        console.print(table)


def _page(model: str, text: ProbedText, plan: ProbePlan, readings: Readings, spans: Tensor) -> ProbePage:
    assert readings.heads is not None and readings.span_mass is not None
    start, written = text.num_prompt_tokens, text.written()
    mask = written[:, start:]
    fai, waad = readings.fai[:, start:], readings.waad[:, start:]
    rhythm = find_rhythm(waad, fai, mask)
    # The rule looks at no entropy.
    inputs = CreditInputs(mask=mask, entropy=torch.zeros_like(fai), fai=fai, waad=waad)
    credit = CreditAssigner(CreditConfig(rule="coupled"), ProbeConfig(), seed=0).weights(inputs, step=0, micro_step=0)[
        :, 0
    ]
    values = {
        "FAI": readings.fai[0],
        "WAAD": readings.waad[0],
        "credit": torch.nn.functional.pad(credit[0], (start, 0)),
    }
    attention = constraint_attention(readings.span_mass, spans)
    return ProbePage(
        title=model,
        tokens=text.pieces,
        num_prompt_tokens=start,
        readings=tuple(
            TokenReading(name=name, meaning=MEANINGS[name], values=tuple(reading.tolist()))
            for name, reading in values.items()
        ),
        marks=rhythm.places(after=start),
        layers=readings.layers,
        constraints=_curves(text, attention.relative[:, 0, 0].nanmean(dim=0)[start:], looks(attention, written)),
        head_spans=tuple(tuple(row) for row in head_spans(readings.heads.distance, written).tolist()),
        local_heads=() if plan.roles is None else plan.roles.local_heads,
        global_heads=() if plan.roles is None else plan.roles.global_heads,
    )


def _curves(text: ProbedText, relative_TC: Tensor, seen: Looks) -> tuple[ConstraintCurve, ...]:
    return tuple(
        ConstraintCurve(
            name=rule,
            values=tuple(relative_TC[:, index].tolist()),
            mean=seen.mean[0, index].item(),
            looked=bool(seen.looked[0, index]),
            places=tuple(place for place, states in enumerate(stated) if states),
        )
        for index, (rule, stated) in enumerate(text.constraints.items())
    )


def _findings(model: str, text: ProbedText, page: ProbePage) -> dict[str, Any]:
    """What `readings.json` holds."""
    values = zip(*(reading.values for reading in page.readings), strict=True)
    names = [reading.name.lower() for reading in page.readings]
    tokens = [
        {
            "place": place,
            "id": token,
            "text": piece,
            **dict(zip(names, figures, strict=True)),
            "marks": [name for name, places in page.marks.items() if place in places],
        }
        for place, (token, piece, figures) in enumerate(zip(text.ids, text.pieces, values, strict=True))
    ]
    return {
        "model": model,
        "layers": page.layers,
        "num_prompt_tokens": text.num_prompt_tokens,
        "tokens": tokens,
        "constraints": [{"name": curve.name, "mean": curve.mean, "looked": curve.looked} for curve in page.constraints],
        "head_spans": page.head_spans,
    }


def _tensors(text: ProbedText, readings: Readings, spans: Tensor) -> dict[str, Tensor]:
    """Every reading, for those who want more than the page shows."""
    assert readings.heads is not None and readings.span_mass is not None
    by_head = {f"heads.{field.name}": getattr(readings.heads, field.name) for field in fields(readings.heads)}
    return {
        "ids": torch.tensor(text.ids),
        "waad": readings.waad,
        "fai": readings.fai,
        "spans": spans,
        "span_mass": readings.span_mass.contiguous(),
        **by_head,
    }
