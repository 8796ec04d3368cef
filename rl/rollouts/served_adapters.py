"""Served adapters: the adapters that one server has loaded for this process, each under a name never used before."""

import hashlib
import shutil
import tempfile
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load

from rl.common.errors import RunFailure
from rl.config.model import AdapterConfig
from rl.rollouts.adapter_folder import write_adapter
from rl.rollouts.vllm_http import ServerLost, VllmServer


@dataclass(kw_only=True, slots=True)
class ServedAdapter:
    """An adapter on a server."""

    name: str
    folder: Path
    digest: str
    users: int = 0
    """Workers that ask for it now."""


class ServedAdapters:
    """Loads each adapter once for all workers that ask one server, and unloads it after the last has let it go.

    vLLM keeps cached prompts by an adapter's name, so one name must never mean two adapters.
    """

    def __init__(self, server: VllmServer, lora: AdapterConfig, folder: Path | None):
        self.server = server
        self.lora = lora
        self._prefix = f"heed-{uuid.uuid4().hex[:12]}"
        self._folder = Path(tempfile.mkdtemp(prefix="heed-adapters-")) if folder is None else folder / self._prefix
        self._lock = threading.Lock()
        self._loaded: dict[str, ServedAdapter] = {}
        self._number = 0

    def acquire(self, payload: bytes) -> ServedAdapter:
        """Return the adapter of a payload, loaded on the server unless it already is."""
        digest = hashlib.sha256(payload).hexdigest()
        with self._lock:
            if digest not in self._loaded:
                self._loaded[digest] = self._load(payload, digest)
            self._loaded[digest].users += 1
            return self._loaded[digest]

    def release(self, adapter: ServedAdapter) -> None:
        """Let go of an adapter; the last user's call unloads it and removes its folder."""
        with self._lock:
            adapter.users -= 1
            if adapter.users:
                return
            del self._loaded[adapter.digest]
            with suppress(ServerLost):  # a server that is gone has forgotten it
                self.server.unload_adapter(adapter.name)
            shutil.rmtree(adapter.folder)
            with suppress(OSError):  # others lie beside it
                self._folder.rmdir()

    def _load(self, payload: bytes, digest: str) -> ServedAdapter:
        self._number += 1
        name = f"{self._prefix}-{self._number}"
        adapter = ServedAdapter(name=name, folder=self._folder / name, digest=digest)
        try:
            write_adapter(adapter.folder, load(payload), self.lora)
        except SafetensorError as error:
            raise RunFailure(f"the adapter was damaged on its way: {error}") from error
        self.server.load_adapter(adapter.name, adapter.folder)
        return adapter
