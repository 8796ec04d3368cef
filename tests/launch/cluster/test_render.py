"""Rendered files: what a scheduler reads in them, and that the recipe inside is the one that was given."""

import base64
import json
import os
import re
import signal
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml

from launch.cli.main import main
from launch.cluster.render import render
from launch.cluster.spec import ClusterSpec, load_spec
from launch.cluster.submit import submit_file
from launch.recipes import load_recipe
from rl.config.load import parse_config

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


FAKES = {
    "scontrol": 'case "$1" in show) echo node-1;; requeue) echo "requeue $2" >> "$LOG";; esac',
    "srun": "sleep 60",
    "ray": "exit 0",
    "python": """trap 'echo saved >> "$LOG"; exit 130' TERM
echo "train $*" >> "$LOG"
while :; do kill -USR1 "$BATCH"; sleep 0.5; done""",
}


def test_render__a_slurm_job_saves_and_requeues_before_its_time_is_up(tmp_path):
    """The script itself is run by bash, among stand-ins for SLURM, Ray and the training."""
    tools = tmp_path / ".venv" / "bin"
    tools.mkdir(parents=True)
    for name, body in FAKES.items():
        (tools / name).write_text(f"#!/bin/bash\n{body}\n", encoding="utf-8")
        (tools / name).chmod(0o755)
    script = tmp_path / "job.sh"
    text = render("slurm", CONFIG, ClusterSpec(checkout=str(tmp_path)))
    script.write_text(text.replace("set -euo pipefail", "set -euo pipefail\nexport BATCH=$$", 1), encoding="utf-8")
    log = tmp_path / "log"
    environment = {
        **os.environ,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "LOG": str(log),
        "SLURM_JOB_ID": "7",
        "SLURM_JOB_NODELIST": "node-1",
        "TMPDIR": str(tmp_path),
    }
    with subprocess.Popen(["bash", str(script)], env=environment, start_new_session=True) as job:
        try:
            code = job.wait(timeout=120)
        finally:
            os.killpg(job.pid, signal.SIGKILL)  # the stand-in for a Ray head would run on
    train, *rest = log.read_text().splitlines()
    assert train == f"train -m launch.cli train {tmp_path}/heed-7.yaml --or-resume"
    assert (rest, code) == (["saved", "requeue 7"], 130)


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
