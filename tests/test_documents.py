"""Documents: their links resolve, the Python in them runs, and every module says in its first line what it is."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("rl", "rewards", "data", "attention_probes", "launch")
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "tests" / "README.md",
    *sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.md")),
]
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def existing(paths: list[Path]) -> list[Path]:
    return [path for path in paths if path.is_file()]


@pytest.mark.parametrize("document", existing(DOCUMENTS), ids=name_of)
def test_links__resolve(document: Path):
    targets = LINK.findall(document.read_text(encoding="utf-8"))
    local = [target for target in targets if not target.startswith(("http://", "https://", "mailto:"))]
    missing = [target for target in local if not (document.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize(
    "document",
    [path for path in existing(DOCUMENTS) if PYTHON.search(path.read_text(encoding="utf-8"))],
    ids=name_of,
)
def test_python_in_documents__runs(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "document"}
    for block in PYTHON.findall(document.read_text(encoding="utf-8")):
        exec(compile(block, name_of(document), "exec"), namespace)


def test_readme__is_short_enough_to_be_read():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 200


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_modules__say_in_a_sentence_what_they_are(module: Path):
    docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))
    assert docstring, "no docstring"
    first = docstring.split("\n\n")[0]
    assert first[0].isupper() or first[0] == "`"
    assert first.endswith("."), first
