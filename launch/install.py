"""Install Heed into .venv: the build of torch that this machine needs, then the locked rest.

`make setup` runs it before anything is installed, so it uses the standard library only.
"""

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
READY = VENV / "heed-ready"
LOCK = ROOT / "requirements.lock"

TORCH = "torch==2.13.0"
FITTING_TORCH = "2.13."
FROM_CPU_INDEX = ["uv", "pip", "install", "--torch-backend=cpu", TORCH]

# A firewall may drop what it does not allow: ask for an index briefly before relying on it.
BRIEFLY = {"UV_HTTP_TIMEOUT": "10", "UV_HTTP_RETRIES": "0"}
BRIEFLY_SECONDS = 60


def main() -> None:
    """Create or complete .venv; the ready mark is written last, so nothing half-done is taken for done."""
    refuse_unsupported_python(sys.version_info[:2])
    READY.unlink(missing_ok=True)
    create_venv()
    install_torch()
    # Without dependencies: the lock names them all, and a resolver might bring a second build of torch.
    install("--no-deps", "--requirement", str(LOCK))
    install("--no-deps", "--editable", str(ROOT))
    run([str(PYTHON), "-c", "import datasets, ray, wandb, rl.models.load; from trl import GRPOTrainer"])
    READY.write_text(f"torch {torch_version(PYTHON)}\n")


def create_venv() -> None:
    """Keep a usable .venv with all it holds; a new one sees the base's packages if a fitting torch is among them."""
    if not succeeds(module("pip", "--version")):
        print("creating .venv", flush=True)
        venv.create(VENV, clear=True, with_pip=True, system_site_packages=fits(torch_version(Path(sys.executable))))
    if not succeeds(module("uv", "--version")):
        run(module("pip", "install", "--quiet", locked("uv", LOCK.read_text())))


def install_torch() -> None:
    """Keep a fitting torch that imports; else the build that suits the machine, never CUDA without an NVIDIA driver."""
    if fits(found := torch_version(PYTHON)):
        print(f"keeping torch {found}", flush=True)
        return
    run(module("pip", "uninstall", "-qq", "--yes", "torch"))
    if has_nvidia_driver():
        run(module("pip", "install", TORCH))
    elif succeeds(module(*FROM_CPU_INDEX, "--dry-run"), environment=BRIEFLY, seconds=BRIEFLY_SECONDS):
        run(module(*FROM_CPU_INDEX))
    else:
        print("PyTorch's CPU index cannot be reached: asking pip", flush=True)
        refuse_cuda(nvidia_packages(pip_plan(TORCH)))
        run(module("pip", "install", TORCH))


def install(*arguments: str) -> None:
    """By uv, which is several times faster; where it fails by pip, which knows the mirrors set up for pip."""
    if subprocess.run(module("uv", "pip", "install", *arguments)).returncode != 0:
        run(module("pip", "install", *arguments))


def refuse_unsupported_python(version: tuple[int, int]) -> None:
    if not (3, 11) <= version < (3, 14):
        stop(f"Heed needs Python 3.11 to 3.13, not {version[0]}.{version[1]}: make setup PYTHON=/path/to/python3.11")


def refuse_cuda(packages: list[str]) -> None:
    if packages:
        stop(
            f"there is no NVIDIA driver here, and pip would add {len(packages)} CUDA packages ({packages[0]}, ...). "
            f"Where PyTorch's CPU index can be reached, run `{' '.join(module(*FROM_CPU_INDEX))}`, then make setup"
        )


def has_nvidia_driver() -> bool:
    return Path("/proc/driver/nvidia/version").exists() or succeeds(["nvidia-smi", "--list-gpus"])


def torch_version(python: Path) -> str:
    """The version of the torch that this interpreter imports, or "" if none imports."""
    # Elsewhere than in the checkout, whose folders would be importable too.
    command = [str(python), "-c", "import torch; print(torch.__version__)"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tempfile.gettempdir())
    return done.stdout.strip() if done.returncode == 0 else ""


def fits(version: str) -> bool:
    return version.startswith(FITTING_TORCH)


def pip_plan(requirement: str) -> dict[str, Any]:
    """What pip would install for `requirement`: its own report, nothing installed."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        run(module("pip", "install", "--quiet", "--dry-run", "--report", str(report), requirement))
        return json.loads(report.read_text())


def nvidia_packages(plan: dict[str, Any]) -> list[str]:
    """The CUDA libraries in pip's plan, sorted."""
    names = (item["metadata"]["name"].lower() for item in plan["install"])
    return sorted(name for name in names if name.startswith("nvidia-"))


def locked(name: str, lock: str) -> str:
    """The line of the lock that pins `name`."""
    return next(line for line in lock.splitlines() if line.startswith(f"{name}=="))


def module(*arguments: str) -> list[str]:
    """The command line of a module of .venv's interpreter."""
    return [str(PYTHON), "-m", *arguments]


def run(command: list[str]) -> None:
    if (code := subprocess.run(command).returncode) != 0:
        stop(f"exit code {code} from `{' '.join(command)}`: see above, then make setup again")


def succeeds(command: list[str], *, environment: dict[str, str] | None = None, seconds: float | None = None) -> bool:
    """Whether a command that need not exist ends well, and in time."""
    try:
        done = subprocess.run(command, capture_output=True, env=os.environ | (environment or {}), timeout=seconds)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def stop(message: str) -> NoReturn:
    raise SystemExit(f"setup: {message}")


if __name__ == "__main__":
    main()
