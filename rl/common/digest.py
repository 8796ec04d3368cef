"""Digests: what tells a file's content from another's, also where it is too large to be read whole."""

import hashlib
from pathlib import Path

BLOCK = 2**16
BLOCKS = 1024
"""Blocks of a sampled digest: 64 MiB of a file; a smaller one is read whole."""
MODEL_SUFFIXES = (".json", ".safetensors", ".bin", ".gguf", ".jinja", ".model", ".txt")
"""Of weights, settings, tokenizers and chat templates."""


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sampled_digest(path: Path, *, block: int = BLOCK, blocks: int = BLOCKS) -> str:
    """Return the SHA-256 of a file's size and of blocks spread evenly over it, the first and the last among them.

    It tells trained weights from others in a fraction of a second, wherever they were copied to and whenever.
    """
    size = path.stat().st_size
    if size <= block * blocks:
        return file_digest(path)
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for index in range(blocks):
            file.seek((size - block) * index // (blocks - 1))
            digest.update(file.read(block))
    return digest.hexdigest()


def model_digests(folder: Path) -> dict[str, str]:
    """Return the digest of each file in a model's folder that decides what it answers, by the file's name."""
    files = sorted(path for path in folder.iterdir() if path.suffix in MODEL_SUFFIXES and path.is_file())
    return {path.name: sampled_digest(path) for path in files}
