"""The wandb callback: sends metrics, rollouts and the adapter from a thread whose failures never stop the training."""

import json
import os
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from PIL.Image import Image
from PIL.Image import open as open_image
from rich.console import Console
from transformers import TrainerCallback
from transformers.integrations.integration_utils import rewrite_logs

from attention_probes.heads import HeadRoles
from rl.common.atomic import write_json
from rl.config.root import Config
from rl.runs.jsonl import read_jsonl
from rl.tracking.background import BackgroundThread
from rl.tracking.html import credit_html, head_map_html
from rl.tracking.wandb_mode import wandb_mode

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RUN_ID = "wandb.json"
STEP = "train/global_step"
TABLE_ROWS = 64
TIMEOUT_SECONDS = 60.0
"""Seconds that the end of a run waits for wandb."""

Spans = Callable[[Sequence[int]], list[tuple[int, int]]]


def run_id(folder: Path) -> str:
    """Return the run's id at wandb, stored in its folder so that a resume continues the same one."""
    path = folder / RUN_ID
    if not path.exists():
        write_json(path, {"id": uuid4().hex[:12]})
    return json.loads(path.read_text(encoding="utf-8"))["id"]


class WandbCallback(TrainerCallback):
    """Shows a run at wandb: every logged metric, and at each save the newest rollouts.

    `finish` must be called when the run is over.
    """

    def __init__(self, config: Config, folder: Path, *, warn: Callable[[str], None] | None = None):
        self.config = config
        self.folder = folder
        self.spans: Spans | None = None
        """Returns where a completion's tokens are in its text; without it the table shows no credit."""
        self._shown_until = 0
        self._run: Any = None
        self._data_folder = ""
        console = Console(stderr=True)
        self._thread = BackgroundThread("wandb", warn or (lambda message: console.print(f"[yellow]{message}[/yellow]")))

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._shown_until = state.global_step
        if state.is_world_process_zero:
            self._thread.call(self._start, run_id(self.folder))

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if state.is_world_process_zero and logs:
            self._thread.call(self._log, {**rewrite_logs(logs), STEP: state.global_step})

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.is_world_process_zero:
            self._thread.call(self._show_rollouts, self._shown_until, state.global_step)
            self._shown_until = state.global_step

    def finish(self, adapter: Path | None = None, summary: dict[str, Any] | None = None) -> None:
        """Send the adapter and the result, if there are any, and end the run; waits a minute at most."""
        if adapter is not None:
            self._thread.call(self._send_adapter, adapter, summary or {})
        self._thread.call(self._finish)
        self._thread.close(TIMEOUT_SECONDS)

    def _start(self, identity: str) -> None:
        import wandb  # here, because it takes seconds that the training need not wait for

        if "WANDB_DATA_DIR" not in os.environ:
            # By default artifacts wait in the home folder, and a run that is moved could not be synced.
            os.environ["WANDB_DATA_DIR"] = self._data_folder = str(self.folder / "wandb")
        settings = wandb.Settings(console="off", init_timeout=TIMEOUT_SECONDS, silent=True)
        self._run = wandb.init(
            project=self.config.tracking.project,
            name=self.config.run.name,
            id=identity,
            resume="allow",
            mode=wandb_mode(os.environ),  # pyright: ignore[reportArgumentType]
            dir=str(self.folder),
            config={**self.config.model_dump(mode="json"), "environment": self._environment()},
            settings=settings,
        )
        self._run.define_metric(STEP)
        self._run.define_metric("*", step_metric=STEP, step_sync=True)
        if self.config.probe.roles is not None:
            self._run.log({"head_roles": wandb.Html(head_map_html(HeadRoles.load(self.config.probe.roles)))})

    def _environment(self) -> dict[str, Any]:
        path = self.folder / "environment.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def _log(self, metrics: dict[str, Any]) -> None:
        self._run.log(metrics)

    def _show_rollouts(self, after: int, until: int) -> None:
        records = [line for line in read_jsonl(self.folder / "rollouts.jsonl") if after < line["step"] <= until]
        if records:
            table = rollout_table(records[-TABLE_ROWS:], self.spans)
            self._run.log({"rollouts": table, **self._probe_plots(records), STEP: until})

    def _probe_plots(self, records: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return plots of the newest completion that the probe read, the worst of a group left out."""
        import wandb

        from rl.tracking.probe_plots import probe_plots  # matplotlib takes a second

        probed = [line for line in records if line["which"] != "worst" and "fai" in line and any(line["mask"])]
        if not probed or self.spans is None:
            return {}
        newest = probed[-1]
        plots = probe_plots(newest, self.spans(newest["completion_ids"]), self.config.credit)
        return {f"probe_plots/{name}": wandb.Image(as_image(plot)) for name, plot in plots.items()}

    def _send_adapter(self, adapter: Path, summary: dict[str, Any]) -> None:
        import wandb

        environment = self._environment()
        artifact = wandb.Artifact(
            f"adapter-{self._run.id}",
            type="model",
            metadata={
                "base_model": self.config.model.name,
                "data": self.config.data.path or f"Heed's instructions, seed {self.config.data.seed}",
                "rewards": self.config.rewards.model_dump(mode="json"),
                "git_revision": environment.get("git_revision"),
                "packages": environment.get("packages"),
                "summary": summary,
            },
        )
        artifact.add_dir(str(adapter))
        self._run.log_artifact(artifact)
        self._run.summary.update(
            {f"held_out/{name}": summary[name]["pass_rate"] for name in ("before", "after") if name in summary}
        )

    def _finish(self) -> None:
        if self._run is not None:
            self._run.finish()
        if os.environ.get("WANDB_DATA_DIR") == self._data_folder:
            del os.environ["WANDB_DATA_DIR"]  # a later run in this process has its own folder


def rollout_table(records: Sequence[dict[str, Any]], spans: Spans | None) -> Any:
    """Return a table of wandb with a row per recorded completion; the last column shows its credit as HTML."""
    import wandb

    columns = ["step", "problem_id", "which", "prompt", "completion", "reward", "advantage", "verdicts"]
    rows: list[Any] = [
        [
            *(record[name] for name in columns[:-1]),
            verdict_words(record["verdicts"]),
            wandb.Html(_credit(record, spans)),
        ]
        for record in records
    ]
    return wandb.Table(columns=[*columns, "credit"], data=rows)


def as_image(figure: "Figure") -> Image:
    """Return the figure's pixels; wandb itself would draw it with pyplot, which never frees a figure."""
    file = BytesIO()
    figure.savefig(file, format="png")
    return open_image(file)


def verdict_words(verdicts: Sequence[dict[str, Any]]) -> str:
    """Return a line per verdict: satisfied, violated or not applicable, and by which margin."""
    words = {True: "satisfied", False: "violated", None: "does not apply"}
    return "\n".join(f"{verdict['id']}: {words[verdict['satisfied']]} ({verdict['margin']:g})" for verdict in verdicts)


def _credit(record: dict[str, Any], spans: Spans | None) -> str:
    if spans is None:
        return credit_html(record["completion"], [(0, len(record["completion"]))], [1.0])
    return credit_html(record["completion"], spans(record["completion_ids"]), record["weights"])
