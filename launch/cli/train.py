"""`heed train`, `resume`, `eval`, `report` and `export`: the commands of one run."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from launch.cli.output import AsJson, output_option, print_json, print_result, stdout_for_json, user_path
from launch.cli.plan_doctor import Overrides, Recipe
from launch.environment import prepare_environment
from rl.common.errors import UserError

if TYPE_CHECKING:  # `heed --help` need not wait for pydantic
    from rl.config.root import Config

DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the resolved settings and stop.")]
AcceptChangedCode = Annotated[
    bool, typer.Option("--accept-changed-code", help="Go on although code of your own differs from the run's copy.")
]


def train(
    recipe: Recipe,
    overrides: Overrides = None,
    dry_run: DryRun = False,
    or_resume: Annotated[
        bool, typer.Option("--or-resume", help="Resume run.folder if it has a checkpoint; for jobs that restart.")
    ] = False,
    accept_changed_code: AcceptChangedCode = False,
    as_json: AsJson = False,
) -> None:
    """Train an adapter by a recipe, with any setting changed by its dotted name."""
    from launch.ranks.resume import load_or_resume, move_aside
    from launch.recipes import load_recipe

    config = (load_or_resume if or_resume else load_recipe)(recipe, _with_code_flag(overrides, accept_changed_code))
    folder = config.run.folder if or_resume and config.resume is None else None
    if folder is not None and not dry_run and _is_first_rank():
        move_aside(folder)
    _run(config, dry_run, as_json)


def resume(
    run: Annotated[Path, typer.Argument(parser=user_path, help="A run folder.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="KEY.KEY=VALUE", help="Settings that a resumed run may change.")
    ] = None,
    dry_run: DryRun = False,
    accept_changed_code: AcceptChangedCode = False,
    as_json: AsJson = False,
) -> None:
    """Continue a run that was stopped or crashed, from its newest checkpoint."""
    from rl.config.load import load_resumed

    _run(load_resumed(run, _with_code_flag(overrides, accept_changed_code)), dry_run, as_json)


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(parser=user_path, help="Run folders; those that differ in seeds only are shown as one."),
    ],
    output: Annotated[
        Path | None, output_option("The file to write; default: report.html in the first run folder.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make one HTML file of a run, or of two arms with one or several seeds each and their difference."""
    prepare_environment()
    from rl.report.write import report_command

    def body() -> dict[str, Any]:
        page = report_command(runs, output)
        return {"report": str(page), "bytes": page.stat().st_size}

    print_result(
        as_json, body, show=lambda result: print(f"Report: {result['report']} ({result['bytes'] / 1e6:.1f} MB)")
    )


def export(
    run: Annotated[Path, typer.Argument(parser=user_path, help="A run folder; with --only or --merge also a bundle.")],
    only: Annotated[str | None, typer.Option(help="Copy this adapter of a bundle to --output.")] = None,
    merge: Annotated[str | None, typer.Option(help="Write base and this adapter as one model to --output.")] = None,
    output: Annotated[Path | None, output_option("The folder to write, with --only or --merge.")] = None,
    check: Annotated[
        str | None,
        typer.Option(help="Have vLLM load it too: `vllm` starts one here, http://HOST:PORT is a server of yours."),
    ] = None,
    push: Annotated[
        str | None, typer.Option(metavar="REPO", help="Then upload it to this repository of the Hugging Face hub.")
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="With --push: for everyone; else it is private.")] = False,
    as_json: AsJson = False,
) -> None:
    """Prove that a run's adapter loads with plain PEFT and gives the trained model's logits, or write part of it."""
    prepare_environment()
    if public and push is None:
        raise UserError("--public goes with --push REPO; without it nothing is uploaded")
    if push is not None:
        if only is not None or merge is not None:
            raise UserError("--push uploads a run's adapter; upload what --only or --merge wrote with `hf upload`")
        from rl.export.push import push_run, show_push

        print_result(as_json, lambda: push_run(run, push, public=public), show=show_push)
    elif only is None and merge is None:
        if output is not None:
            raise UserError(f"--output {output} goes with --only or --merge; without them nothing is written")
        _prove(run, check, as_json)
    elif check is not None:
        raise UserError(f"--check {check} is about a whole run; leave out --only and --merge")
    else:
        print_result(
            as_json,
            lambda: {"written": str(_write_part(run, only, merge, output))},
            show=lambda result: print(f"Written: {result['written']}"),
        )


def _prove(run: Path, check: str | None, as_json: bool) -> None:
    """Load what a run exported with plain PEFT, and with vLLM if asked to, and print how far both are apart."""
    from rl.export.verify import export_run, show_export
    from rl.export.vllm_check import check_with_vllm, require_check, show_check

    def body() -> dict[str, Any]:
        if check is None:
            return export_run(run)
        require_check(check)
        result = export_run(run)
        return result | check_with_vllm(run, check, result["vllm_max_lora_rank"])

    def show(result: dict[str, Any]) -> None:
        show_export(result)
        if check is not None:
            show_check(result)

    print_result(as_json, body, show=show)


def _with_code_flag(overrides: list[str] | None, accept_changed_code: bool) -> list[str]:
    return [*(overrides or []), *(["run.accept_changed_code=true"] if accept_changed_code else [])]


def _run(config: "Config", dry_run: bool, as_json: bool) -> None:
    """Train here or start the ranks that train, and print where the run lies."""
    if dry_run:
        from rl.config.load import resolved_yaml
        from rl.tracking.installed import check_trackers

        check_trackers(config.tracking)

        typer.echo(config.model_dump_json(indent=2) if as_json else resolved_yaml(config).rstrip())
        return
    prepare_environment(config)
    from launch.ranks.local import must_start_ranks, start_ranks
    from rl.runs.signals import UNFINISHED, unfinished_on_sigterm

    if not must_start_ranks(config.distributed):
        from rl.train import train as train_run
    elif config.distributed.on_ray:
        from launch.ranks.ray_train import train_on_ray as train_run
    else:
        command = [sys.executable, "-m", "launch.cli", *sys.argv[1:]]
        raise typer.Exit(start_ranks(command, config.distributed.processes))

    with stdout_for_json(as_json), unfinished_on_sigterm():
        result = _result(train_run(config))
    if as_json and _is_first_rank():
        print_json(result)
    if result["summary"] is None:
        raise typer.Exit(UNFINISHED)


def _is_first_rank() -> bool:
    return os.environ.get("RANK", "0") == "0"


def _result(folder: Path) -> dict[str, Any]:
    """Return the run folder and its summary, which a run that was stopped has not."""
    summary = folder / "summary.json"
    return {
        "run": str(folder),
        "summary": json.loads(summary.read_text(encoding="utf-8")) if summary.exists() else None,
    }


def _write_part(bundle: Path, only: str | None, merge: str | None, output: Path | None) -> Path:
    from rl.routing.bundle import extract_adapter
    from rl.routing.merge import merge_adapter

    if output is None:
        raise UserError("--only and --merge write a folder; name it with --output")
    if only is not None and merge is not None:
        raise UserError(f"--only {only} copies and --merge {merge} merges; give one of the two")
    return extract_adapter(bundle, only, output) if only is not None else merge_adapter(bundle, str(merge), output)
