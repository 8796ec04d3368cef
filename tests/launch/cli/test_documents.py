"""Documents: every command is described in launch/README.md, and every example in any document can be typed."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_group

from launch.cli.main import app
from launch.cluster.spec import load_spec
from launch.plan.build import make_plan
from launch.plan.device import GIB, Device
from launch.recipes import load_recipe, recipe_names
from rl.config.errors import dotted_keys
from rl.config.root import Config

ROOT = Path(__file__).parents[3]
README = ROOT / "launch" / "README.md"
ROOMS = ("launch", "rl", "data", "rewards", "attention_probes", "tests")
DOCUMENTS = [ROOT / "README.md", *(path for room in ROOMS for path in sorted((ROOT / room).rglob("*.md")))]
PARTS = ("weights", "kv cache", "activations")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(group: Any, prefix: str = "heed") -> Iterator[str]:
    """Yield every command as it is typed; a group counts if it does something without a subcommand."""
    for name, command in group.commands.items():
        is_group = hasattr(command, "commands")
        if is_group:
            yield from commands(command, f"{prefix} {name}")
        if not is_group or command.invoke_without_command:
            yield f"{prefix} {name}"


def parse(arguments: list[str]) -> dict[str, Any]:
    """Parse arguments as the command line does, without running anything; return what the command would get."""
    command, rest = get_group(app), arguments
    context = command.make_context("heed", rest)
    while hasattr(command, "resolve_command") and (rest := [*context._protected_args, *context.args]):
        name, command, rest = command.resolve_command(context, rest)
        assert command is not None
        context = command.make_context(name, rest, parent=context)
    return context.params


def examples() -> dict[str, list[str]]:
    """Return every line of a document's code blocks that calls heed, with its arguments."""
    found = {}
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8") if document.is_file() else ""
        for language, block in BLOCK.findall(text):
            for line in block.splitlines() if language in ("", "bash", "text") else ():
                if match := re.match(r"\s*(?:\$ )?(?:[A-Z_]+=\S+ )*heed (.*)", line):
                    arguments = shlex.split(match[1], comments=True)
                    found[f"{document.relative_to(ROOT)}: heed {' '.join(arguments)}"] = arguments
    return found


@pytest.mark.parametrize("command", sorted(commands(get_group(app))))
def test_readme__describes_every_command(command):
    text = README.read_text(encoding="utf-8")
    assert re.search(rf"`{command}\b", text), f"{command} is in no table"
    assert re.search(rf"^{command}\b", text, re.MULTILINE), f"{command} has no example"


def test_examples__are_found():
    assert len(examples()) > 40


@pytest.mark.parametrize("example", examples())
def test_examples__parse(example):
    values = parse(examples()[example])
    for override in values.get("overrides") or ():
        key, equals, _ = override.partition("=")
        assert equals and (key in dotted_keys() or key.startswith(("trl.", "rewards."))), override
    recipe = values.get("recipe", "tiny")
    assert recipe in recipe_names() or recipe.endswith(".yaml") or recipe.isupper()


def test_examples__that_cannot_be_typed_are_noticed():
    with pytest.raises(Exception, match="No such option"):
        parse(["probe", "calibrate", "--out", "roles.json"])
    with pytest.raises(Exception, match="No such command"):
        parse(["lunch", "slurm", "tiny"])


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if path.is_file()], ids=lambda path: path.parent.name)
def test_documents__name_commands_that_exist(document):
    names = {command.split()[1] for command in commands(get_group(app))} | {"COMMAND"}
    named = set(re.findall(r"`heed (\w+)", document.read_text(encoding="utf-8")))
    assert named <= names


def test_readme__names_settings_that_exist():
    sections = [name for name in Config.model_fields if any(key.startswith(f"{name}.") for key in dotted_keys())]
    named = set(re.findall(rf"`((?:{'|'.join(sections)})\.\w+)", README.read_text(encoding="utf-8"))) - {
        "rollouts.jsonl"
    }
    assert len(named) > 15
    blocks = {key.rpartition(".")[0] for key in dotted_keys()}
    assert named <= set(dotted_keys()) | blocks


def test_readme__names_every_section_of_the_settings():
    text = README.read_text(encoding="utf-8")
    (listed,) = re.findall(r"one file a section: `([^`]*)`", text)
    assert set(re.split(r",\s+", listed)) == set(Config.model_fields) - {"algorithm", "resume", "trl"}


def test_readme__shows_a_spec_that_is_read(tmp_path):
    (text,) = [block for language, block in BLOCK.findall(README.read_text(encoding="utf-8")) if language == "yaml"]
    (tmp_path / "spec.yaml").write_text(text, encoding="utf-8")
    spec = load_spec(tmp_path / "spec.yaml")
    assert (spec.nodes, spec.image) == (2, "registry.local/heed:cuda")
    assert yaml.safe_load(text).keys() == type(spec).model_fields.keys()


def planned(name: str) -> list[str]:
    """Return what the table of recipes says of one: completions an update, trained parameters, peak, disk."""
    config = load_recipe(name)
    is_gpu = "/" in config.model.name
    plan = make_plan(config, Device(name="", memory=80 * GIB, is_gpu=is_gpu, has_bf16=True))
    memory = {part: max(phase.parts.get(part, 0) for phase in plan.phases) for part in PARTS}
    (update,) = [batch for batch in plan.batches if "update" in batch.name]
    parts = ", ".join(f"{memory[part] / 1e9:.{1 if is_gpu else 2}f}" for part in PARTS)
    disk = plan.checkpoint_bytes
    return [
        f"{update.completions:,} of {config.trainer.max_completion_length:,} tokens",
        f"{plan.trainable / 1e6:.2g} M",
        f"{plan.peak / 1e9:.1f} GB of {'a GPU' if is_gpu else 'memory'}: {parts}",
        f"{disk / 1e9:.1f} GB" if disk > 1e9 else f"{disk / 1e6:.0f} MB",
    ]


def test_readme__shows_the_plan_of_every_recipe():
    lines = README.read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| `")]
    table = {row[0]: row[3:] for row in rows if row[0] in recipe_names()}
    assert table.keys() == set(recipe_names())
    for name in ("quickstart", "laptop", "gpu-24gb-1.5b", "gpu-80gb-8b", "node-8gpu-7b", "two-nodes-7b"):
        assert table[name] == planned(name)
