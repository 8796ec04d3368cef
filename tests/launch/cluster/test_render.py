"""Rendered files: what a scheduler reads in them, and that the recipe inside is the one that was given."""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import jsonschema
import pytest
import yaml

from launch.cli.main import main
from launch.cluster.render import render
from launch.cluster.spec import ClusterSpec, load_spec
from launch.cluster.submit import submit_file
from launch.recipes import load_recipe
from rl.common.errors import UserError
from rl.config.load import parse_config
from rl.runs.signals import UNFINISHED
from tests.rl.grpo_fixtures import EVEN_SHARE, HOLD_STEP_3

ROOT = Path(__file__).resolve().parents[3]
CONFIG = load_recipe("tiny")
SCHEMA = json.loads(Path(__file__).with_name("rayjob.schema.json").read_text(encoding="utf-8"))
GPUS = ClusterSpec(
    name="trial",
    nodes=2,
    gpus_per_node=8,
    cpus_per_node=96,
    memory_gb=900,
    hours=1.5,
    grace_seconds=120,
    image="registry.local/heed:cuda",
    mounts=("runs-claim:/runs",),
    environment={"NCCL_DEBUG": 'it\'s "quoted" $HOME'},
    secrets=("wandb-key",),
)


def bash_accepts(script: str, tmp_path: Path) -> bool:
    file = tmp_path / "script.sh"
    file.write_text(script, encoding="utf-8")
    return subprocess.run(["bash", "-n", str(file)], capture_output=True).returncode == 0


def directives(script: str) -> dict[str, str]:
    """Return the #SBATCH options as sbatch reads them: up to the first command."""
    options = {}
    for line in script.splitlines()[1:]:
        if line and not line.startswith("#"):
            break
        if match := re.fullmatch(r"#SBATCH --([a-z-]+)(?:=(\S+))?", line):
            options[match[1]] = match[2] or ""
        else:
            assert not line.startswith("#SBATCH"), f"sbatch would not read {line!r}"
    return options


def recipe_in(script: str) -> dict:
    """Return the recipe inside a shell script."""
    encoded = script.partition("<<'RECIPE'\n")[2].partition("\nRECIPE")[0]
    return yaml.safe_load(base64.b64decode(encoded))


@pytest.mark.parametrize("spec", [ClusterSpec(), GPUS, GPUS.model_copy(update={"image": None})])
def test_render__slurm_is_bash_with_its_directives_first(spec, tmp_path):
    script = render("slurm", CONFIG, spec)
    assert bash_accepts(script, tmp_path)
    assert directives(script).keys() >= {"job-name", "nodes", "time", "signal", "requeue", "open-mode"}


def test_render__slurm_directives_are_the_specs():
    assert directives(render("slurm", CONFIG, GPUS.model_copy(update={"partition": "long"}))) == {
        "job-name": "trial",
        "nodes": "2",
        "ntasks-per-node": "1",
        "cpus-per-task": "96",
        "mem": "900G",
        "gpus-per-node": "8",
        "time": "90",  # minutes
        "signal": "B:USR1@120",
        "requeue": "",
        "open-mode": "append",
        "output": "trial-%j.log",
        "partition": "long",
    }


def test_render__slurm_on_one_node_starts_no_ray_workers():
    assert "ray start --address" not in render("slurm", CONFIG, ClusterSpec())
    assert "ray start --address" in render("slurm", CONFIG, ClusterSpec(nodes=2))


@pytest.mark.parametrize(
    "change",
    [
        {"partition": "long\n#SBATCH --wrap=id"},
        {"partition": "long --wrap=id"},
        {"account": "$(id)"},
        {"account": "a;id"},
        {"image": "heed\nid"},
        {"image": "--help"},
        {"checkout": "/opt\n/heed"},
        {"runs": "/runs\r"},
        {"mounts": ["/a\n:/b"]},
        {"environment": {"A=$(id)": "1"}},
        {"environment": {"A\nid\nB": "1"}},
        {"environment": {"A": "\0"}},
        {"secrets": ["a\nid"]},
        {"name": "a b"},
    ],
)
def test_load_spec__what_would_end_as_a_command_is_refused_by_its_name(tmp_path, change):
    path = tmp_path / "spec.yaml"
    path.write_text(json.dumps(change))  # JSON is YAML
    with pytest.raises(UserError, match=f"(?m)^{next(iter(change))}"):
        load_spec(path)


def test_render__what_the_shell_would_run_is_quoted_in_every_file(tmp_path):
    harmless = "$(touch ran) `touch ran` 'a' \"b\" ; touch ran\ntouch ran"
    folder = "/opt/$(touch ran);touch ran"
    spec = ClusterSpec(
        image="heed:$(id)", checkout=folder, runs=folder, mounts=(f"{folder}:/runs",), environment={"A": harmless}
    )
    for target in ("slurm", "ray-job"):
        script = render(target, CONFIG, spec)
        assert bash_accepts(script, tmp_path)
        if target == "slurm":
            [export] = re.findall(r"(?ms)^export A=.*?(?=^export )", script)
            shown = subprocess.run(
                ["bash", "-c", f'{export}printf %s "$A"'], capture_output=True, text=True, cwd=tmp_path
            )
            assert shown.stdout == harmless
        else:
            block = script.partition("<<'RUNTIME'\n")[2].partition("\nRUNTIME\n")[0]
            assert yaml.safe_load(block)["env_vars"]["A"] == harmless
        assert f"cd '{folder}'" in script or f"cp -r '{folder}/attention_probes'" in script
    job = yaml.safe_load(render("kuberay", CONFIG, spec))
    (head,) = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"]
    assert {"name": "A", "value": harmless} in head["env"] and head["workingDir"] == folder
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("target", ["slurm", "ray-job"])
def test_render__the_recipe_inside_is_resolved_with_a_fixed_folder(target):
    inside = parse_config(recipe_in(render(target, CONFIG, ClusterSpec(runs="/shared"))))
    assert str(inside.run.folder) == "/shared/tiny"
    assert inside.model_copy(update={"run": CONFIG.run}) == CONFIG


@pytest.mark.parametrize("spec", [GPUS, ClusterSpec(image="heed")])
def test_render__kuberay_fits_the_published_schema(spec):
    job = yaml.safe_load(render("kuberay", CONFIG, spec))
    jsonschema.Draft202012Validator(SCHEMA).validate(job)
    cluster = job["spec"]["rayClusterSpec"]
    assert [group["replicas"] for group in cluster.get("workerGroupSpecs", [])] == ([1] if spec.nodes == 2 else [])


def test_render__kuberay_has_the_specs_values():
    job = yaml.safe_load(render("kuberay", CONFIG, GPUS))
    assert (job["spec"]["activeDeadlineSeconds"], job["spec"]["backoffLimit"]) == (5400, 3)
    (head,) = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"]
    assert head["resources"]["limits"] == {"cpu": "96", "memory": "900Gi", "nvidia.com/gpu": "8"}
    assert {"name": "NCCL_DEBUG", "value": 'it\'s "quoted" $HOME'} in head["env"]
    assert head["envFrom"] == [{"secretRef": {"name": "wandb-key"}}]
    assert head["volumeMounts"] == [{"name": "mount-0", "mountPath": "/runs"}]
    encoded = re.search(r"echo (\S+) \| base64", job["spec"]["entrypoint"])
    assert encoded and yaml.safe_load(base64.b64decode(encoded[1]))["run"]["folder"] == "/runs/tiny"


def test_render__kuberay_needs_an_image():
    with pytest.raises(ValueError, match="kuberay needs an image"):
        render("kuberay", CONFIG, ClusterSpec())


def test_render__an_environment_value_reaches_the_shell_unchanged(tmp_path):
    script = render("slurm", CONFIG, GPUS)
    line = next(line for line in script.splitlines() if line.startswith("export NCCL_DEBUG="))
    shown = subprocess.run(["bash", "-c", f'{line}; printf %s "$NCCL_DEBUG"'], capture_output=True, text=True)
    assert shown.stdout == GPUS.environment["NCCL_DEBUG"]


STAND_INS = {
    "scontrol": 'case "$1" in show) echo node-1;; requeue) echo "requeue $2" >> "$LOG";; esac',
    "srun": "sleep 600",
    "ray": "exit 0",
}
DEADLINE = 240.0


def install(tools: Path, programs: dict[str, str]) -> None:
    """Write shell programs that stand in for those of the same names."""
    tools.mkdir(parents=True)
    for name, body in programs.items():
        (tools / name).write_text(f"#!/bin/bash\n{body}\n", encoding="utf-8")
        (tools / name).chmod(0o755)


@contextmanager
def batch_job(checkout: Path, script: Path, **environment: str) -> Iterator[subprocess.Popen]:
    """Run a rendered script by bash, as SLURM does on the first node."""
    variables = {
        **os.environ,
        "PATH": f"{checkout}/.venv/bin:{os.environ['PATH']}",
        "LOG": f"{checkout}/log",
        "SLURM_JOB_ID": "7",
        "SLURM_JOB_NODELIST": "node-1",
        "TMPDIR": str(checkout),
        "PYTHONPATH": str(ROOT),
        **environment,
    }
    with (
        open(checkout / "output", "w", encoding="utf-8") as output,
        subprocess.Popen(
            ["bash", str(script)], env=variables, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        ) as job,
    ):
        try:
            yield job
        finally:
            with suppress(ProcessLookupError):
                os.killpg(job.pid, signal.SIGKILL)  # the stand-in for a Ray head would run on


def wait_for(happened: Callable[[], bool], job: subprocess.Popen) -> None:
    give_up = time.monotonic() + DEADLINE
    while not happened():
        assert job.poll() is None, job.returncode
        assert time.monotonic() < give_up
        time.sleep(0.05)


@pytest.mark.slow
def test_render__a_slurm_job_saves_and_requeues_before_its_time_is_up_and_then_finishes(tmp_path):
    """The script itself is run by bash, with the real `heed train`, among stand-ins for SLURM and Ray."""
    install(tmp_path / ".venv" / "bin", {**STAND_INS, "python": f'exec {sys.executable} "$@"'})
    settings = [f"rewards.functions=[{EVEN_SHARE}]", "trainer.max_steps=4", "trainer.save_steps=1", "data.held_out=0"]
    config = load_recipe("tiny", [*settings, "rollouts.workers=0"])
    script, run = tmp_path / "job.sh", tmp_path / "runs" / "tiny"
    spec = ClusterSpec(checkout=str(tmp_path), runs=str(tmp_path / "runs"))
    script.write_text(render("slurm", config, spec), encoding="utf-8")
    with batch_job(tmp_path, script, **{HOLD_STEP_3: str(tmp_path / "go")}) as job:
        wait_for((run / "checkpoint-2" / "complete.json").exists, job)
        job.send_signal(signal.SIGUSR1)  # the time is nearly up
        wait_for(lambda: "Finishing this step" in (tmp_path / "output").read_text(), job)
        (tmp_path / "go").touch()
        assert job.wait(DEADLINE) == UNFINISHED, (tmp_path / "output").read_text()
    assert (run / "checkpoint-3" / "complete.json").exists() and not (run / "summary.json").exists()
    assert (tmp_path / "log").read_text() == "requeue 7\n"
    with batch_job(tmp_path, script, SLURM_RESTART_COUNT="1") as job:
        assert job.wait(DEADLINE) == 0, (tmp_path / "output").read_text()
    assert (run / "summary.json").exists()
    assert (tmp_path / "log").read_text() == "requeue 7\n"


@pytest.mark.parametrize("code", [0, 1, 2, 75, 130, 143])
def test_render__a_slurm_job_is_requeued_after_a_run_that_is_saved_and_not_finished_only(code, tmp_path):
    install(tmp_path / ".venv" / "bin", {**STAND_INS, "python": f"exit {code}"})
    script = tmp_path / "job.sh"
    script.write_text(render("slurm", CONFIG, ClusterSpec(checkout=str(tmp_path), restarts=3)), encoding="utf-8")
    for restarts in ("0", "3"):
        with batch_job(tmp_path, script, SLURM_RESTART_COUNT=restarts) as job:
            assert job.wait(DEADLINE) == code
    log = tmp_path / "log"
    assert (log.read_text() if log.exists() else "") == ("requeue 7\n" if code == 75 else "")


@pytest.mark.parametrize(
    ("codes", "starts", "end"), [("0", 1, 0), ("75 75 0", 3, 0), ("75 2", 2, 2), ("75 75 75", 3, 75)]
)
def test_render__a_ray_job_is_started_again_after_a_run_that_is_saved_and_not_finished_only(
    codes, starts, end, tmp_path
):
    submit = """while [ "$1" != -- ]; do [ "$1" = --working-dir ] && cd "$2"; shift; done; shift; exec "$@" """
    python = """read -r code rest < "$CODES"; echo "$rest" > "$CODES"; echo "$*" >> "$LOG"; exit "$code" """
    install(tmp_path / ".venv" / "bin", {"ray": submit, "python": python})
    for package in ("attention_probes", "data", "launch", "rewards", "rl"):
        (tmp_path / package).mkdir()
    (tmp_path / "codes").write_text(f"{codes}\n", encoding="utf-8")
    script = tmp_path / "job.sh"
    script.write_text(render("ray-job", CONFIG, ClusterSpec(checkout=str(tmp_path), restarts=2)), encoding="utf-8")
    with batch_job(tmp_path, script, CODES=str(tmp_path / "codes")) as job:
        assert job.wait(DEADLINE) == end, (tmp_path / "output").read_text()
    assert (tmp_path / "log").read_text() == "-m launch.cli train recipe.yaml --or-resume\n" * starts


def test_render__a_ray_job_that_is_stopped_has_time_to_save():
    script = render("ray-job", CONFIG, ClusterSpec(grace_seconds=90))
    environment = yaml.safe_load(script.partition("<<'RUNTIME'\n")[2].partition("\nRUNTIME")[0])["env_vars"]
    assert environment["RAY_JOB_STOP_WAIT_TIME_S"] == "90"


def test_load_spec__names_each_wrong_key(tmp_path):
    file = tmp_path / "spec.yaml"
    file.write_text("nodes: 2\nmounts: [/data:/data]\n", encoding="utf-8")
    assert load_spec(file) == ClusterSpec(nodes=2, mounts=("/data:/data",))
    file.write_text("nods: 2\nmounts: [data]\nhours: soon\n", encoding="utf-8")
    with pytest.raises(ValueError) as raised:
        load_spec(file)
    for part in (
        "nods: Extra inputs",
        "mounts.0: ",
        "should look like /data:/data, got 'data'",
        "hours: ",
        "keys: name, nodes",
    ):
        assert part in str(raised.value)


def test_load_spec__reads_the_spec_that_comes_with_heed():
    (spec,) = Path("launch/cluster/specs").glob("*.yaml")
    assert load_spec(spec).nodes == 2


@pytest.mark.parametrize(
    ("target", "command", "start"),
    [("slurm", "sbatch", "#!/bin/bash\n#SBATCH"), ("ray-job", "bash", "#!/bin/bash\n# Submits the training")],
)
def test_launch__writes_the_file_and_says_how_to_submit_it(target, command, start, tmp_path, capsys):
    file = tmp_path / "job"
    with pytest.raises(SystemExit) as stop:
        main(["launch", target, "tiny", "-o", str(file)])
    assert stop.value.code == 0
    assert f"submit it with `{command} {file}`" in capsys.readouterr().out
    assert file.read_text().startswith(start)


@pytest.mark.parametrize("read", ["recipe", "spec"])
def test_launch__replaces_no_file_that_it_reads(read, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("heed.yaml").write_text("{}")
    arguments = ["heed.yaml"] if read == "recipe" else ["tiny", "--spec", "heed.yaml"]
    with pytest.raises(SystemExit) as stop:
        main(["launch", "kuberay", *arguments, "run.name=x"])  # its default is heed.yaml, too
    assert stop.value.code == 2
    assert "cannot write to heed.yaml: it is heed.yaml, which is read" in " ".join(capsys.readouterr().err.split())
    assert Path("heed.yaml").read_text() == "{}"


def test_launch__refuses_an_unknown_target(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["launch", "slrm", "tiny"])
    assert stop.value.code == 2
    assert "slurm" in capsys.readouterr().err


def test_render__keeps_the_other_settings_of_the_run():
    config = load_recipe("tiny", ["run.grace=60"])
    assert parse_config(recipe_in(render("slurm", config, ClusterSpec()))).run.grace == 60


def test_submit_file__names_a_missing_scheduler(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="sbatch is not on this machine; run there: sbatch job"):
        submit_file("slurm", Path("job"))


def test_submit_file__quotes_a_scheduler_that_refuses(monkeypatch, tmp_path):
    (tmp_path / "sbatch").write_text("#!/bin/bash\necho 'invalid partition' >&2; exit 1\n")
    (tmp_path / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(ValueError, match="failed with exit code 1: invalid partition"):
        submit_file("slurm", Path("job"))
