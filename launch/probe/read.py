"""`heed probe`: the attention of one prompt and completion, as JSON, tensors and a page."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from safetensors.torch import save_file
from torch import Tensor

from attention_probes.constraint_attention import AttentionSummary, constraint_attention, prompt_spans, summarize
from attention_probes.heads import HeadRoles, head_spans
from attention_probes.html_page import (
    ConfusionMatrix,
    ConstraintCurve,
    ProbePage,
    TokenReading,
    null_for_nan,
    render_page,
)
from attention_probes.listening import WINDOW, listening_of
from attention_probes.record import ProbePlan, Readings, record_attention
from attention_probes.rhythm import find_rhythm
from launch.probe.text import ProbedText, probed_text
from rl.common.atomic import write_json, write_text
from rl.common.errors import UserError
from rl.config.credit import CreditConfig, ProbeConfig
from rl.config.model import ModelConfig
from rl.credit.assigner import CreditAssigner
from rl.credit.inputs import CreditInputs
from rl.models.load import configured_tokenizer, load_model

# Axes: S tokens of prompt and completion, T of the completion, C constraints; all of one text, so B = 1.

MEANINGS = {
    "FAI": "Future attention influence: mean attention that a token gets from those 10 to 100 after it.",
    "WAAD": "Windowed average attention distance: how far back a token attends, counting at most 10 tokens.",
    "credit": "Weight of the token's advantage under the coupled rule.",
}


def run_probe(
    model: str,
    prompt: str,
    *,
    out: Path,
    template_values: dict[str, Any] | None = None,
    completion: str | None = None,
    generate: bool = False,
    constraints: Sequence[str] = (),
    roles: Path | None = None,
    max_new_tokens: int = 128,
    plots: bool = False,
) -> dict[str, Any]:
    """Read one text and write `readings.json`, `readings.safetensors` and `page.html` into `out`.

    The completion is given, or else generated greedily. `constraints` are the passages of the prompt that state a
    constraint, `roles` is a file of `heed probe calibrate`; `plots` draws what the page shows as PNG files, too.
    Returns the content of `readings.json`. Raises UserError for neither or both kinds of completion, an empty
    completion, and a constraint that the prompt does not contain.
    """
    if generate == (completion is not None):
        raise UserError("give either a completion or generate, and not both")
    tokenizer = configured_tokenizer(ModelConfig(name=model, chat_template_kwargs=template_values or {}))
    policy = load_model(model)
    text = probed_text(tokenizer, policy, prompt, completion, constraints, max_new_tokens)
    head_roles = None if roles is None else HeadRoles.load(roles)
    plan = ProbePlan(roles=head_roles, per_head=True, boundary_window=WINDOW)
    spans = _spans(text)
    with torch.no_grad(), record_attention(policy, plan, spans=spans.to(policy.device)) as recorder:
        policy(input_ids=torch.tensor([text.ids], device=policy.device), logits_to_keep=1, use_cache=False)
    readings = recorder.read().cpu()
    page = _page(model, text, plan, readings, spans)
    content = null_for_nan(_json_content(model, text, page))
    write_json(out / "readings.json", content)
    _save_tensors(text, readings, spans, out / "readings.safetensors")
    write_text(out / "page.html", render_page(page))
    if plots:
        _save_plots(page, out)
    return content


def _spans(text: ProbedText) -> Tensor:
    """Return the spans to record, (1, C + 2, S)."""
    stated = torch.tensor([list(text.constraints.values())], dtype=torch.bool).reshape(1, -1, len(text.ids))
    return prompt_spans(stated, ~text.completion_mask())


def print_probe(content: dict[str, Any], *, num_tokens: int = 10) -> None:
    """Print the tokens with the highest FAI, and the attention to each constraint."""
    console = Console()
    completion = content["tokens"][content["num_prompt_tokens"] :]
    table = Table("position", "token", "FAI", "WAAD", "marks", title="Highest future attention influence")
    for token in sorted(completion, key=lambda token: -token["fai"])[:num_tokens]:
        values = (f"{token['fai']:.4f}", f"{token['waad']:.2f}")
        table.add_row(str(token["position"]), repr(token["text"]), *values, ", ".join(token["marks"]))
    console.print(table)
    if content["constraints"]:
        table = Table("constraint", "relative attention", "attended to", title="Constraints")
        for constraint in content["constraints"]:
            mean = "undefined" if constraint["mean"] is None else f"{constraint['mean']:.2f}"
            table.add_row(constraint["name"], mean, "yes" if constraint["attended"] else "hardly")
        console.print(table)
    if content["confusion"] is not None:
        _print_confusion(console, content)


def _print_confusion(console: Console, content: dict[str, Any]) -> None:
    matrix = content["confusion"]
    title = "Share of each segment's attention to the constraints; below 0, a constraint's segments attend to another"
    table = Table("segment", *(constraint["name"] for constraint in content["constraints"]), title=title)
    for text, shares in zip(matrix["texts"], zip(*matrix["shares"], strict=True), strict=True):
        table.add_row(repr(text), *(f"{share:.2f}" for share in shares))
    table.add_section()
    table.add_row("margin", *("undefined" if margin is None else f"{margin:+.2f}" for margin in matrix["margins"]))
    console.print(table)


def _page(model: str, text: ProbedText, plan: ProbePlan, readings: Readings, spans: Tensor) -> ProbePage:
    assert readings.heads is not None and readings.span_mass is not None
    start, completion = text.num_prompt_tokens, text.completion_mask()
    fai, waad, mask = readings.fai[:, start:], readings.waad[:, start:], completion[:, start:]
    credit = torch.nn.functional.pad(_coupled_credit(fai, waad, mask), (start, 0))
    values = {"FAI": readings.fai, "WAAD": readings.waad, "credit": credit}
    attention = constraint_attention(readings.span_mass, spans)
    relative_TC = attention.relative[:, 0, 0].nanmean(dim=0)[start:]
    return ProbePage(
        title=model,
        tokens=text.pieces,
        num_prompt_tokens=start,
        readings=tuple(
            TokenReading(name=name, meaning=MEANINGS[name], values=tuple(reading[0].tolist()))
            for name, reading in values.items()
        ),
        marks=find_rhythm(waad, fai, mask).positions(offset=start),
        layers=readings.layers,
        constraints=_curves(text, relative_TC, summarize(attention, completion)),
        confusion=_confusion(text, readings, spans),
        head_spans=tuple(tuple(row) for row in head_spans(readings.heads.distance, completion).tolist()),
        local_heads=() if plan.roles is None else plan.roles.local_heads,
        global_heads=() if plan.roles is None else plan.roles.global_heads,
    )


def _coupled_credit(fai: Tensor, waad: Tensor, mask: Tensor) -> Tensor:
    """Return the token weights (1, T) of the rule `coupled` with its default settings."""
    # The rule uses no entropy.
    inputs = CreditInputs(mask=mask, entropy=torch.zeros_like(fai), fai=fai, waad=waad)
    assigner = CreditAssigner(CreditConfig(rule="coupled"), ProbeConfig(), seed=0)
    return assigner.weights(inputs, step=0, micro_step=0)[:, 0]


def _curves(text: ProbedText, relative_TC: Tensor, summary: AttentionSummary) -> tuple[ConstraintCurve, ...]:
    return tuple(
        ConstraintCurve(
            name=constraint,
            values=tuple(relative_TC[:, index].tolist()),
            mean=summary.mean[0, index].item(),
            attended=bool(summary.attended[0, index]),
            positions=tuple(position for position, inside in enumerate(stated) if inside),
        )
        for index, (constraint, stated) in enumerate(text.constraints.items())
    )


def _confusion(text: ProbedText, readings: Readings, spans: Tensor) -> ConfusionMatrix | None:
    """Return what each segment attends to; None for fewer than two constraints."""
    if len(text.constraints) < 2:
        return None
    [heard] = listening_of(readings, spans, text.completion_mask())
    return ConfusionMatrix(
        segments=heard.segments,
        texts=tuple("".join(text.pieces[start:stop]) for start, stop in heard.segments),
        shares=tuple(tuple(row) for row in heard.attention.tolist()),
        alignment=tuple(tuple(row) for row in heard.alignment.tolist()),
        margins=tuple(heard.margins.tolist()),
    )


def _json_content(model: str, text: ProbedText, page: ProbePage) -> dict[str, Any]:
    """Return the content of `readings.json`."""
    curves = page.constraints
    return {
        "model": model,
        "layers": page.layers,
        "num_prompt_tokens": text.num_prompt_tokens,
        "tokens": _json_tokens(text, page),
        "constraints": [{"name": curve.name, "mean": curve.mean, "attended": curve.attended} for curve in curves],
        "confusion": None if page.confusion is None else asdict(page.confusion),
        "head_spans": page.head_spans,
    }


def _json_tokens(text: ProbedText, page: ProbePage) -> list[dict[str, Any]]:
    names = [reading.name.lower() for reading in page.readings]
    rows = zip(*(reading.values for reading in page.readings), strict=True)
    return [
        {
            "position": position,
            "id": token,
            "text": piece,
            **dict(zip(names, values, strict=True)),
            "marks": [name for name, positions in page.marks.items() if position in positions],
        }
        for position, (token, piece, values) in enumerate(zip(text.ids, text.pieces, rows, strict=True))
    ]


def _save_tensors(text: ProbedText, readings: Readings, spans: Tensor, path: Path) -> None:
    """Write every reading, also those that the page leaves out."""
    assert readings.heads is not None and readings.span_mass is not None
    tensors = {
        "ids": torch.tensor(text.ids),
        "waad": readings.waad,
        "fai": readings.fai,
        "spans": spans,
        "span_mass": readings.span_mass.contiguous(),
        **{f"heads.{field.name}": getattr(readings.heads, field.name) for field in fields(readings.heads)},
    }
    temporary = path.with_name(f".{path.name}.tmp")
    save_file(tensors, temporary)
    temporary.replace(path)


def _save_plots(page: ProbePage, out: Path) -> None:
    from attention_probes.plots import constraint_plot, head_plot, rhythm_plot  # matplotlib takes a second

    plots = {"rhythm": rhythm_plot(page), "heads": head_plot(page)}
    if page.constraints:
        plots["constraints"] = constraint_plot(page.constraints)
    for name, plot in plots.items():
        plot.savefig(out / f"{name}.png")
