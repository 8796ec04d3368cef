"""A user's Python file, loaded as the module that `import` would make of it."""

import importlib.util
import sys
from hashlib import sha256
from pathlib import Path
from types import ModuleType

USER_FOLDERS: list[str] = []
"""The entries of `sys.path` that were added for users' files, the latest first."""
_LOADED: dict[Path, tuple[bytes, ModuleType]] = {}
"""The files loaded so far, each with the source it had."""


def load_python_file(path: Path) -> ModuleType:
    """Return the file's module, in `sys.modules` and with its folder importable, as dataclasses, pickle and pools need.

    A file is executed once, and again when it has changed. Files of one name in two folders are two modules, and so are
    the modules beside them that they import.
    """
    path = path.resolve()
    source = path.read_bytes()
    if path not in _LOADED or _LOADED[path][0] != source:
        _make_importable(path.parent)
        _LOADED[path] = (source, _execute(path))
    return _LOADED[path][1]


def _execute(path: Path) -> ModuleType:
    name = _module_name(path)
    if name in sys.modules and path not in _LOADED:
        return sys.modules[name]  # another file has imported it
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None, "a path that ends in .py has a loader"
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _module_name(path: Path) -> str:
    """Return the file's own name if that is what `import` finds, else one that no other module has."""
    loaded = sys.modules.get(path.stem)
    found = getattr(loaded, "__file__", None) if loaded else getattr(_find(path.stem), "origin", None)
    if found is not None and Path(found).resolve() == path:
        return path.stem
    return f"{path.stem}_{sha256(str(path).encode()).hexdigest()[:12]}"


def _find(name: str) -> object:
    importlib.invalidate_caches()  # the file may be younger than the folder's listing
    return importlib.util.find_spec(name) if name.isidentifier() else None


def _make_importable(folder: Path) -> None:
    """Put the folder on the path: before those of other users' files, and after all that is installed."""
    others = [entry for entry in USER_FOLDERS if entry != str(folder)]
    _forget_modules(others, folder)
    if str(folder) in sys.path and str(folder) not in USER_FOLDERS:
        return
    installed = [entry for entry in sys.path if entry not in USER_FOLDERS]
    USER_FOLDERS[:] = [str(folder), *others]
    sys.path[:] = [*installed, *USER_FOLDERS]


def _forget_modules(others: list[str], folder: Path) -> None:
    """Let `import` find the folder's own modules where those of the same name came from other users' folders."""
    kept = [module.__name__ for _, module in _LOADED.values()]
    taken = {
        name
        for name, module in list(sys.modules.items())
        if _home(module) in others
        and name not in kept
        and ((folder / f"{name}.py").is_file() or (folder / name).is_dir())
    }
    for name in [name for name in sys.modules if name.partition(".")[0] in taken]:
        del sys.modules[name]


def _home(module: object) -> str:
    """Return the folder on the path in which `import` has found a module, if it is one at the top."""
    file = Path(getattr(module, "__file__", None) or "")
    return str(file.parent.parent if file.name == "__init__.py" else file.parent)
