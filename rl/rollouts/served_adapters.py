"""Served adapters: the versions that one server has loaded for this process, under names never used before."""

import hashlib
import itertools
import shutil
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from rl.common.errors import RunFailure
from rl.config.model import AdapterConfig
from rl.rollouts.adapter_folder import read_adapter, write_adapter
from rl.rollouts.vllm_http import ServerLost, VllmServer

NUMBERS = itertools.count(1)
"""Numbers of this process's adapters, and of its folders for them."""


@dataclass(kw_only=True, slots=True)
class ServedVersion:
    """A policy's adapters on a server."""

    digest: str
    folders: dict[str, Path]
    """The folder of each adapter, whose last part is the adapter's name on the server."""
    users: int = 0
    """Workers that ask for it now."""

    def served_name(self, adapter: str) -> str:
        return self.folders[adapter].name

    def tensors(self) -> dict[str, Tensor]:
        """Read what the server was given, under the live names."""
        return {
            name: tensor
            for adapter, folder in self.folders.items()
            for name, tensor in read_adapter(folder, adapter).items()
        }


class ServedAdapters:
    """Loads each version once for all workers that ask one server, and unloads it after the last has let it go.

    vLLM keeps cached prompts by an adapter's name, so one name must never mean two adapters. `names` is how all begin,
    and those of no other process.
    """

    def __init__(self, server: VllmServer, adapters: Mapping[str, AdapterConfig], *, names: str, folder: Path | None):
        self.server = server
        self.adapters = adapters
        self._names = names
        self._folder = (folder or Path(tempfile.gettempdir())) / f"{names}-{next(NUMBERS)}"
        self._lock = threading.Lock()
        self._loaded: dict[str, ServedVersion] = {}

    def acquire(self, payload: bytes) -> ServedVersion:
        """Return the version of a payload, loaded on the server unless it already is."""
        digest = hashlib.sha256(payload).hexdigest()
        with self._lock:
            if digest not in self._loaded:
                self._loaded[digest] = self._load(payload, digest)
            self._loaded[digest].users += 1
            return self._loaded[digest]

    def release(self, version: ServedVersion) -> None:
        """Let go of a version; the last user's call unloads it and removes its folders."""
        with self._lock:
            version.users -= 1
            if version.users:
                return
            del self._loaded[version.digest]
            self._remove(version)

    def _load(self, payload: bytes, digest: str) -> ServedVersion:
        number = next(NUMBERS)
        names = {adapter: f"{self._names}-{number}-{adapter}" for adapter in self.adapters}
        version = ServedVersion(
            digest=digest, folders={adapter: self._folder / name for adapter, name in names.items()}
        )
        try:
            tensors = load(payload)
        except SafetensorError as error:
            raise RunFailure(f"the adapter was damaged on its way: {error}") from error
        try:
            for adapter, folder in version.folders.items():
                write_adapter(folder, tensors, adapter, self.adapters[adapter])
                self.server.load_adapter(folder.name, folder)
        except BaseException:
            self._remove(version)
            raise
        return version

    def _remove(self, version: ServedVersion) -> None:
        for folder in version.folders.values():
            if folder.is_dir():
                with suppress(ServerLost):  # a server that is gone has forgotten it
                    self.server.unload_adapter(folder.name)
                shutil.rmtree(folder)
        with suppress(OSError):  # other versions lie there
            self._folder.rmdir()
