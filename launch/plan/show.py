"""Display of a plan: tables for a person, plain values for JSON."""

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from launch.plan.build import Plan
from launch.plan.overlap import OVERRIDE


def show_plan(plan: Plan) -> None:
    """Print sizes, memory, disk and traffic, then whether the run fits."""
    console = Console()
    _show_head(console, plan)
    _show_batches(console, plan)
    _show_memory(console, plan)
    _show_verdict(console, plan)


def _show_head(console: Console, plan: Plan) -> None:
    trainer, distributed, lengths = plan.config.trainer, plan.config.distributed, plan.lengths
    share = plan.trainable / plan.shape.num_parameters
    method = "counted" if lengths.counted else "estimated from characters"
    zero = f", ZeRO stage {distributed.zero}" if distributed.zero else ""
    console.print(
        f"[bold]{plan.config.model.name}[/bold]: {plan.shape.num_parameters:,} parameters in {plan.dtype}; "
        f"{plan.trainable:,} trained in float32 ({share:.2%})\n"
        f"{trainer.max_steps} steps on {distributed.processes} process(es), {distributed.nodes} node(s){zero}; "
        f"{plan.epochs:.2f} passes over {lengths.num_problems} problems\n"
        f"prompts of {lengths.mean:.0f} tokens on average, {lengths.longest} at most ({method}); "
        f"completions of at most {trainer.max_completion_length}"
    )


def _show_batches(console: Console, plan: Plan) -> None:
    table = Table("", "prompts", "completions", "tokens, at most", title="Batch sizes", title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    for batch in plan.batches:
        table.add_row(batch.name, f"{batch.prompts:g}", f"{batch.completions:,}", f"{batch.tokens:,}")
    console.print(table)


def _show_memory(console: Console, plan: Plan) -> None:
    names = list(dict.fromkeys(part for phase in plan.phases for part in phase.parts))
    table = Table("", *(phase.name for phase in plan.phases), title="Memory of one process", title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    for name in names:
        table.add_row(name, *(size(phase.parts[name]) if name in phase.parts else "" for phase in plan.phases))
    table.add_row("libraries", *[size(plan.device.overhead)] * len(plan.phases))
    table.add_row("[bold]peak[/bold]", *(size(phase.total + plan.device.overhead) for phase in plan.phases))
    console.print(table)
    trainer = plan.config.trainer
    console.print(
        f"each publication of the adapter sends {size(plan.sync_bytes)} a node; {trainer.save_total_limit} checkpoints "
        f"and the adapter take {size(plan.checkpoint_bytes)} of disk"
    )
    if plan.host_bytes:
        console.print(f"a node needs {size(plan.host_bytes)} of main memory while its processes load the model")


def _show_verdict(console: Console, plan: Plan) -> None:
    for error in plan.errors:
        console.print(f"[red]error[/red] {escape(error)}", highlight=False)
    verdict = "[green]fits[/green]" if plan.fits else "[red]does not fit[/red]"
    console.print(
        f"{verdict}: needs {size(plan.peak)} of the {size(plan.budget)} a process may use "
        f"({plan.device.name}, {size(plan.device.memory)})"
    )
    if plan.lacks_host_memory:
        console.print(
            f"  main memory is too small: {size(plan.host_bytes)} of {size(plan.device.host_memory or 0)}; start fewer "
            "distributed.processes a node, or take a smaller model.name"
        )
    for saving in plan.savings:
        console.print(f"  {'fits' if saving.fits else 'helps'} with {' '.join(saving.overrides)}: {size(saving.peak)}")
    if plan.peak > plan.budget and not any(saving.fits for saving in plan.savings):
        console.print("  no single change is enough: combine them, or take a smaller model.name")
    if (overlap := plan.overlap) is not None:
        console.print(
            f"sampling takes about {overlap.sampling_share:.0%} of a step, by operations and bytes: with {OVERRIDE} "
            f"workers sample while the learner trains, a step takes about {overlap.step_ratio:.2f} of the time, and "
            "completions are one step old"
        )


def size(number_of_bytes: int) -> str:
    """Return bytes as a person reads them, in powers of ten."""
    value, units = float(number_of_bytes), iter(("B", "kB", "MB"))
    for unit in units:
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.2f} GB"


def plan_values(plan: Plan) -> dict[str, Any]:
    """Return the plan as plain values, sizes in bytes."""
    return {
        "model": plan.config.model.name,
        "parameters": plan.shape.num_parameters,
        "trainable": plan.trainable,
        "dtype": plan.dtype,
        "steps": plan.config.trainer.max_steps,
        "epochs": plan.epochs,
        "prompt_tokens": {"mean": plan.lengths.mean, "longest": plan.lengths.longest, "counted": plan.lengths.counted},
        "batches": {
            batch.name: {"prompts": batch.prompts, "completions": batch.completions, "tokens": batch.tokens}
            for batch in plan.batches
        },
        "memory": {phase.name: {**phase.parts, "total": phase.total} for phase in plan.phases},
        "overhead": plan.device.overhead,
        "peak": plan.peak,
        "budget": plan.budget,
        "fits": plan.fits,
        "savings": [asdict(saving) for saving in plan.savings],
        "overlap": None if plan.overlap is None else asdict(plan.overlap),
        "host_bytes": plan.host_bytes,
        "sync_bytes": plan.sync_bytes,
        "checkpoint_bytes": plan.checkpoint_bytes,
        "errors": plan.errors,
    }
