"""Wrong inputs: what can be known before training is one sentence and exit code 2, before any model is loaded."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import transformers

from rl.models import load
from tests.rl.grpo_fixtures import EVEN_SHARE

Arguments = list[str]
ROW = {"prompt": "Describe the sea. Use no commas.", "constraints": [{"id": "punctuation:no_comma"}]}


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def train(here: Path, *overrides: str) -> Arguments:
    return ["train", "tiny", f"run.folder={here}/run", f"rewards.functions=[{EVEN_SHARE}]", *overrides]


def rows(here: Path, *lines: object) -> str:
    """Return the setting of a data file that holds these rows, or these texts as they are."""
    texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    return f"data.path={write(here / 'rows.jsonl', ''.join(f'{text}' + chr(10) for text in texts))}"


def reward(here: Path, text: str) -> Arguments:
    return train(here, f"rewards.functions=[{write(here / 'reward.py', text)}:mine]")


def model(here: Path, **files: str) -> Arguments:
    for name, text in files.items():
        write(here / "model" / name.replace("_json", ".json"), text)
    (here / "model").mkdir(exist_ok=True)
    return train(here, f"model.name={here}/model")


def spec(here: Path, text: str, target: str = "slurm") -> Arguments:
    return ["launch", target, "tiny", "--spec", str(write(here / "spec.yaml", text)), "-o", f"{here}/out"]


WRONG: dict[str, tuple[Callable[[Path], Arguments], str]] = {
    "unknown setting": (lambda here: train(here, "trainer.lerning_rate=1"), "did you mean trainer.learning_rate"),
    "value out of range": (lambda here: train(here, "lora.r=0"), "lora.r"),
    "contradiction": (lambda here: train(here, "rollouts.max_staleness=1"), "rollouts.workers"),
    "override without a value": (lambda here: train(here, "lora.r"), "lora.r"),
    "no such recipe": (lambda here: ["train", f"{here}/none.yaml"], "none.yaml"),
    "recipe is no YAML": (lambda here: ["train", str(write(here / "a.yaml", "model: [tiny"))], "a.yaml"),
    "recipe is a list": (lambda here: ["train", str(write(here / "a.yaml", "- model"))], "a.yaml"),
    "no data file": (lambda here: train(here, f"data.path={here}/none.jsonl"), "none.jsonl"),
    "data that is no JSON": (lambda here: train(here, rows(here, "{'prompt'")), "rows.jsonl:1"),
    "data that is a list": (lambda here: train(here, rows(here, [1])), "rows.jsonl:1"),
    "row without a prompt": (lambda here: train(here, rows(here, {"promt": "Hello."})), "prompt"),
    "unknown constraint": (
        lambda here: train(here, rows(here, ROW | {"constraints": [{"id": "punctuation:no_coma"}]})),
        "no_coma",
    ),
    "all rows held out": (lambda here: train(here, rows(here, ROW), "data.held_out=1"), "held_out"),
    "fewer rows than a batch": (
        lambda here: train(here, rows(here, ROW), "data.held_out=0", "trainer.num_generations=2"),
        "one generation batch takes",
    ),
    "column with a name of TRL's": (
        lambda here: train(here, rows(here, *[ROW | {"completions": 1}] * 8), "data.held_out=0"),
        "completions",
    ),
    "column of two types": (
        lambda here: train(here, rows(here, ROW | {"note": 1}, ROW | {"note": [2]}), "data.held_out=0"),
        "note",
    ),
    "no pairs": (
        lambda here: train(here, "algorithm=dpo", rows(here, ROW), "rewards.functions=[]", "trainer.num_generations=8"),
        "heed",
    ),
    "no model folder": (lambda here: train(here, f"model.name={here}/none"), "none"),
    "model folder without a config": (model, "config.json"),
    "model folder with an adapter": (lambda here: model(here, adapter_config_json="{}"), "adapter"),
    "model is GGUF": (lambda here: train(here, f"model.name={write(here / 'a.gguf', '')}"), "GGUF"),
    "no reward file": (lambda here: train(here, f"rewards.functions=[{here}/none.py:mine]"), "none.py"),
    "reward file is no Python": (lambda here: reward(here, "def mine(:"), "reward.py"),
    "reward file without the function": (lambda here: reward(here, "x = 1"), "mine"),
    "reward file that fails": (lambda here: reward(here, "import heed_no_such_module"), "heed_no_such_module"),
    "reward that cannot be called": (lambda here: reward(here, "mine = 1"), "mine"),
    "reward without a file": (lambda here: train(here, "rewards.functions=[mine]"), "path/to/file.py:function"),
    "no verifier file": (lambda here: train(here, f"rewards.verifiers={{own:a: {here}/none.py:mine}}"), "none.py"),
    "no credit rule": (lambda here: train(here, "credit.rule=globl_anchor"), "global_anchor"),
    "no credit rule file": (lambda here: train(here, f"credit.rule={here}/none.py:mine"), "none.py"),
    "no roles file": (lambda here: train(here, f"probe.roles={here}/none.json"), "none.json"),
    "no adapter to start from": (lambda here: train(here, f"lora.start={here}/none"), "lora.start"),
    "no bundle to start from": (
        lambda here: train(here, f"routing.start={here}/none", "routing.adapters=[upper,lower]"),
        "none",
    ),
    "tracker that is not installed": (lambda here: train(here, "tracking.report_to=[trackio]"), "not installed"),
    "quantization that is not installed": (
        lambda here: train(here, "model.quantization=4bit"),
        "model.quantization=4bit needs bitsandbytes",
    ),
    "fewer processes than started": (lambda here: train(here, "distributed.nodes=3"), "distributed"),
    "run folder is a file": (lambda here: [*train(here), f"run.folder={write(here / 'file', '')}"], "file"),
    "run folder in use": (
        lambda here: [*train(here), f"run.folder={write(here / 'full' / 'metrics.jsonl', '').parent}"],
        "metrics.jsonl",
    ),
    "resume of nothing": (lambda here: ["resume", f"{here}/none"], "none"),
    "evaluation of nothing": (lambda here: ["eval", f"{here}/none"], "none"),
    "report of nothing": (lambda here: ["report", f"{here}/none"], "none"),
    "export of nothing": (lambda here: ["export", f"{here}/none"], "none"),
    "plan of an unknown model": (lambda here: ["plan", "tiny", f"model.name={here}/none"], "none"),
    "inspection of nothing": (lambda here: ["data", "inspect", f"{here}/none.jsonl"], "none.jsonl"),
    "verification of nothing": (lambda here: ["data", "verify", f"{here}/none.jsonl"], "none.jsonl"),
    "pairs of nothing": (lambda here: ["data", "pairs", f"{here}/none", "-o", f"{here}/a.jsonl"], "none"),
    "cluster that does not exist": (lambda here: ["launch", "slum", "tiny"], "slum"),
    "no spec": (lambda here: ["launch", "slurm", "tiny", "--spec", f"{here}/none.yaml"], "none.yaml"),
    "spec with a line break": (lambda here: spec(here, 'partition: "gpu\\nrm -rf x"'), "partition"),
    "spec with an unknown key": (lambda here: spec(here, "partitoin: gpu"), "partitoin"),
    "spec that is no YAML": (lambda here: spec(here, "partition: [gpu"), "spec.yaml"),
}


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every way to load a model fail as a bug would."""

    def loading(*_: object, **__: object) -> None:
        raise AssertionError("a model is being loaded")

    monkeypatch.setattr(load, "tiny_model", loading)
    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", loading)
    monkeypatch.setattr("rl.tracking.installed.find_spec", lambda name: None)
    monkeypatch.setattr("rl.models.quantization.find_spec", lambda name: None)


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input__is_one_sentence_and_exit_code_2_before_a_model_is_loaded(case, heed, no_model, tmp_path, capsys):
    arguments, named = WRONG[case]
    assert heed(*arguments(tmp_path)) == 2
    printed = capsys.readouterr().err
    assert named in printed and "Traceback" not in printed
    assert not (tmp_path / "run" / "checkpoint-1").exists() and not (tmp_path / "out").exists()


def test_wrong_input__a_broken_model_is_one_sentence(heed, tmp_path, capsys):
    assert heed(*model(tmp_path, config_json='{"model_type": "llam"}')) == 2
    printed = capsys.readouterr().err
    assert f"model {tmp_path}/model could not be loaded" in printed and "Traceback" not in printed
