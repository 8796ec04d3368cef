"""Design document: every law names tests that exist, and code cites no law that is not there."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECTION = re.compile(r"^## Law (\d+)\. (.*?)(?=^## )", re.MULTILINE | re.DOTALL)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
CITATION = re.compile(r"\blaws? (\d+)(?: and (\d+))?", re.IGNORECASE)
LAWS = {int(number): text for number, text in SECTION.findall((ROOT / "rl" / "DESIGN.md").read_text(encoding="utf-8"))}


def test_laws__are_numbered_from_1_to_10():
    assert list(LAWS) == list(range(1, 11))


def test_laws__each_names_tests_that_exist():
    for number, text in LAWS.items():
        named = TEST.findall(text)
        assert named, f"law {number} names no test"
        missing = [f"{path}::{name}" for path, name in named if name not in functions(ROOT / path)]
        assert missing == [], f"law {number}"


def functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else ast.Module([], [])
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_citations__are_of_laws_that_exist():
    folders = ("rl", "launch", "data", "rewards", "attention_probes", "tests")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    cited = {int(number) for path in files for pair in CITATION.findall(path.read_text()) for number in pair if number}
    assert cited and cited <= LAWS.keys()
