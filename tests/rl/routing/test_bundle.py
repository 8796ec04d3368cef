"""A routed run's bundle: loaded by plain PEFT and by Heed, routed with, merged, continued and damaged."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from data.problems import to_row
from launch.serve.route import route_command
from rl.build import build_route
from rl.common.errors import UserError
from rl.config.load import load_run_config
from rl.config.root import Config
from rl.config.routing import MIX
from rl.datasets import load_problems, load_training
from rl.export.verify import export_run, fresh_bundle_logits
from rl.models.load import load_model, load_tokenizer, model_path
from rl.models.lora import lora_config
from rl.routing.bundle import bundle_of, extract_adapter, load_routed, read_description, save_bundle, start_from_bundle
from rl.routing.merge import merge_adapter
from rl.routing.route import add_adapters
from rl.train import train
from tests.rl.grpo_fixtures import tiny_config

IDS = torch.tensor([[5, 6, 7, 8]])
NAMES = ("left", "right")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two adapters, routed by what it learned of two tasks."""
    folder = tmp_path_factory.mktemp("routed")
    data = folder / "problems.jsonl"
    rows = [{**to_row(one), "task": NAMES[n % 2]} for n, one in enumerate(load_problems(tiny_config().data).train)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return train(config_of(folder, data))


def config_of(folder: Path, data: Path) -> Config:
    return tiny_config(
        data={"path": str(data), "held_out": 2},
        routing={"adapters": list(NAMES), "ranks": {"right": 2}, "router": "attention", "fit_steps": 10, "top": None},
        run={"folder": str(folder / "run")},
    )


def test_export__verifies_every_adapter_and_the_routed_model(run: Path) -> None:
    report = export_run(run)
    assert set(report["gaps"]) == {*NAMES, MIX, "routed"}
    assert report["max_logit_gap"] <= 1e-5


def test_fresh_bundle_logits__take_a_base_by_relative_path(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(model_path("tiny"), tmp_path / "base")
    shutil.copytree(bundle_of(run), tmp_path / "bundle")
    description = json.loads((tmp_path / "bundle" / "routing.json").read_text())
    (tmp_path / "bundle" / "routing.json").write_text(json.dumps(description | {"base_model": "./base"}))
    monkeypatch.chdir(tmp_path)
    assert torch.equal(
        fresh_bundle_logits(Path("bundle"), IDS, "left"), fresh_bundle_logits(run / "bundle", IDS, "left")
    )


def test_mix__equals_the_mean_gates(run: Path) -> None:
    bundle, model = bundle_of(run), load_model("tiny")
    mean = read_description(bundle)["mean_gates"]
    mixed = PeftModel.from_pretrained(load_model("tiny"), str(bundle / "adapters" / MIX))
    route = load_routed(run, model)
    with route.applied(torch.tensor([[mean[name] for name in NAMES]])):
        torch.testing.assert_close(mixed(input_ids=IDS).logits, route.policy(input_ids=IDS).logits, atol=1e-5, rtol=0)


def test_description__lists_the_bundle_s_content(run: Path) -> None:
    description = read_description(bundle_of(run))
    assert description["base_model"] == "tiny"
    assert {name: one["rank"] for name, one in description["adapters"].items()} == {"left": 4, "right": 2, MIX: 6}
    assert description["adapters"]["right"]["alpha"] == 4
    assert sum(description["mean_gates"].values()) == pytest.approx(1, abs=1e-5)


def test_route_command__returns_each_adapter_s_gate(run: Path) -> None:
    gates = route_command(run, "Write a poem about rain.")
    assert set(gates) == set(NAMES)
    assert sum(gates.values()) == pytest.approx(1, abs=1e-5)
    assert list(gates.values()) == sorted(gates.values(), reverse=True)


def test_extract_adapter__copies_one_with_its_lineage(run: Path, tmp_path: Path) -> None:
    adapter = extract_adapter(run, "left", tmp_path / "left")
    PeftModel.from_pretrained(load_model("tiny"), str(adapter))
    assert json.loads((adapter / "lineage.json").read_text())["adapter"] == "left"
    with pytest.raises(ValueError, match="no adapter 'up'; it has left, mix, right"):
        extract_adapter(run, "up", tmp_path / "up")


def test_merge_adapter__writes_a_model_without_peft(run: Path, tmp_path: Path) -> None:
    folder = merge_adapter(run, "left", tmp_path / "merged")
    merged = AutoModelForCausalLM.from_pretrained(str(folder))
    base = AutoModelForCausalLM.from_pretrained(model_path("tiny"))
    adapted = PeftModel.from_pretrained(base, str(bundle_of(run) / "adapters" / "left"))
    torch.testing.assert_close(merged(input_ids=IDS).logits, adapted(input_ids=IDS).logits, atol=1e-4, rtol=0)


@pytest.mark.parametrize("write", [extract_adapter, merge_adapter])
def test_extract_and_merge__keep_what_is_the_users(
    run: Path, tmp_path: Path, write: Callable[[Path, str, Path], Path]
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for output, held in ((tmp_path, "notes.txt"), (run, "bundle, which is to be exported")):
        with pytest.raises(UserError, match=held):
            write(run, "left", output)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert (run / "summary.json").is_file()
    assert write(run, "left", write(run, "left", tmp_path / "part")) == tmp_path / "part"  # its own it replaces


def test_start_from_bundle__continues_and_adds_an_adapter(run: Path, tmp_path: Path) -> None:
    saved = load_run_config(run)
    routing = saved.routing.model_copy(update={"adapters": (*NAMES, "up"), "start": run})
    config = saved.model_copy(update={"routing": routing, "run": saved.run.model_copy(update={"folder": tmp_path})})
    policy = get_peft_model(load_model("tiny"), lora_config(config.lora))
    assert isinstance(policy, PeftModel)
    training = load_training(config).train
    route = build_route(config, policy, load_tokenizer("tiny"), training)
    before = load_routed(run, load_model("tiny"))
    with route.applied(torch.tensor([[1.0, 0, 0]])), before.applied(torch.tensor([[1.0, 0]])):
        assert torch.equal(route.policy.eval()(input_ids=IDS).logits, before.policy(input_ids=IDS).logits)
    child = save_bundle(route, tmp_path, config, card="", gates=torch.eye(3), trained_on=())
    digest = read_description(bundle_of(run))["adapters"]["left"]["digest"]
    assert read_description(child)["parents"][0]["adapters"]["left"] == digest
    assert set(read_description(child)["adapters"]) == {*NAMES, "up", MIX}


def test_start_from_bundle__refuses_another_base_or_rank(run: Path) -> None:
    saved = load_run_config(run)
    for change, message in (
        ({"ranks": {"right": 3}}, r"its adapter right was trained with lora\.r=2, got 3"),
        ({}, "was trained on the base model tiny"),
    ):
        routing = saved.routing.model_copy(update={**change, "start": run})
        policy = get_peft_model(load_model("tiny"), lora_config(saved.lora))
        assert isinstance(policy, PeftModel)
        route = add_adapters(policy, saved.lora, routing)
        with pytest.raises(ValueError, match=message):
            start_from_bundle(route, run, "tiny" if change else "other")


def test_load_routed__refuses_what_is_no_bundle_or_has_changed(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is no bundle: it holds no routing\.json"):
        bundle_of(tmp_path)
    copy = tmp_path / "bundle"
    shutil.copytree(bundle_of(run), copy)
    weights = copy / "adapters" / "left" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    with pytest.raises(ValueError, match=r"is not the file that routing\.json describes"):
        load_routed(copy, load_model("tiny"))
    (copy / "routing.json").write_text('{"schema": 9}')
    with pytest.raises(ValueError, match="has schema 9; this version of Heed reads 1"):
        load_routed(copy, load_model("tiny"))


def test_check_digests__refuse_an_adapter_that_is_not_finite(run: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(bundle_of(run), tmp_path / "bundle")
    path, description = folder / "adapters" / "left" / "adapter_model.safetensors", folder / "routing.json"
    tensors = load_file(path)
    name = next(iter(tensors))
    tensors[name].view(-1)[0] = float("nan")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    save_file(tensors, path)
    description.write_text(description.read_text().replace(digest, hashlib.sha256(path.read_bytes()).hexdigest()))
    with pytest.raises(UserError, match=f"left/adapter_model.safetensors: tensor {name} holds values that are not"):
        load_routed(folder, load_model("tiny"))
