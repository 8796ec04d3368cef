"""Push: what reaches the hub, in which repository, and that no path of this machine is in it."""

import base64
import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from huggingface_hub import HfApi
from peft import get_peft_model

from rl.common.errors import UserError
from rl.config.load import parse_config, resolved_yaml
from rl.config.routing import MIX
from rl.export import push
from rl.export.push import push_run, without_paths
from rl.export.verify import routed_logits
from rl.models.load import load_model, model_path
from rl.models.lora import lora_config
from rl.models.saved_adapter import SETTINGS, WEIGHTS
from rl.routing.bundle import load_routed, save_bundle
from rl.routing.route import add_adapters
from tests.rl.grpo_fixtures import tiny_config


class FakeHub(ThreadingHTTPServer):
    """A hub of one user: repositories, by name, with whether they are private and their files."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Hub)
        self.repositories: dict[str, bool] = {}
        self.files: dict[str, bytes] = {}
        self.accepts_tokens = True


class _Hub(BaseHTTPRequestHandler):
    server: FakeHub

    def do_GET(self):
        name = self.path.removeprefix("/api/models/")
        if self.path == "/api/whoami-v2":
            self.answer(200 if self.server.accepts_tokens else 401, {"name": "someone", "type": "user"})
        elif name in self.server.repositories:
            self.answer(200, {"id": name, "private": self.server.repositories[name]})
        else:
            self.answer(404, {"error": "no"}, {"X-Error-Code": "RepoNotFound"})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked.get('organization') or 'someone'}/{asked['name']}"
            private = asked.get("private", asked.get("visibility") == "private")
            self.server.repositories.setdefault(name, bool(private))
            self.answer(200, {"url": f"http://{self.headers['Host']}/{name}"})
        elif self.path.endswith("/preupload/main"):
            files = json.loads(body)["files"]
            self.answer(200, {"files": [{**one, "uploadMode": "regular", "shouldIgnore": False} for one in files]})
        elif self.path.endswith("/commit/main"):
            for line in body.splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    self.server.files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
            self.answer(200, {"commitUrl": f"http://{self.headers['Host']}/someone/a/commit/1", "commitOid": "1"})
        else:
            self.answer(200, {})

    def answer(self, status, value, headers=None):
        content = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    server = FakeHub()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def api(hub: FakeHub) -> HfApi:
    return HfApi(endpoint=f"http://127.0.0.1:{hub.server_port}", token="hf_abc")


@pytest.fixture
def run(tmp_path, monkeypatch) -> Path:
    """A finished run, whose verification `tests/rl/export/test_verify.py` tests."""
    monkeypatch.setattr(push, "export_run", lambda run: {"adapter": str(run), "max_logit_gap": 0.0})
    run = tmp_path / "secret-folder" / "run"
    adapter = run / "adapters" / "default"
    adapter.mkdir(parents=True)
    data = tmp_path / "secret-folder" / "rows.jsonl"
    data.write_text("{}")
    config = tiny_config(
        model={"name": str(tmp_path / "secret-folder" / "base")},
        data={"path": str(data), "held_out": 0},
        run={"folder": str(run)},
    )
    (run / "config.yaml").write_text(resolved_yaml(config))
    (run / "summary.json").write_text(json.dumps({"steps": 4, "train_seconds": 1.0}))
    (adapter / WEIGHTS).write_bytes(b"weights")
    (adapter / SETTINGS).write_text(json.dumps({"r": 4, "base_model_name_or_path": config.model.name}))
    return run


def test_push_run__uploads_adapter_card_config_and_results_privately(hub, run):
    result = push_run(run, "someone/new", api=api(hub))
    assert hub.repositories == {"someone/new": True} and result["private"]
    assert sorted(hub.files) == ["README.md", SETTINGS, WEIGHTS, "config.yaml", "results.json"]
    assert hub.files[WEIGHTS] == b"weights"
    assert json.loads(hub.files[SETTINGS]) == {"r": 4, "base_model_name_or_path": "base"}
    assert json.loads(hub.files["results.json"])["steps"] == 4
    assert parse_config(yaml.safe_load(hub.files["config.yaml"])).data.path == "rows.jsonl"
    for content in hub.files.values():
        assert b"secret-folder" not in content and str(Path.cwd()).encode() not in content


def test_push_run__uploads_a_whole_bundle_that_routes_elsewhere(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(push, "export_run", lambda run: {"adapter": str(run), "max_logit_gap": 0.0})
    base = shutil.copytree(model_path("tiny"), tmp_path / "secret-folder" / "base")
    run = tmp_path / "secret-folder" / "run"
    routing = {"adapters": ["upper", "lower"], "router": "attention", "tasks": {"sums": "upper"}}
    config = tiny_config(model={"name": str(base)}, routing=routing, run={"folder": str(run)})
    policy: Any = get_peft_model(load_model(str(base)), lora_config(config.lora))
    route = add_adapters(policy, config.lora, config.routing)
    with torch.no_grad():
        for weight in (*policy.parameters(), *route.router.parameters()):
            if weight.requires_grad:
                weight.normal_(std=0.1, generator=torch.Generator().manual_seed(0))
    run.mkdir()
    save_bundle(route, run, config, card="", gates=torch.tensor([[0.5, 0.5]]), trained_on=())
    (run / "config.yaml").write_text(resolved_yaml(config))
    (run / "summary.json").write_text(json.dumps({"steps": 4}))

    push_run(run, "someone/routed", api=api(hub))
    adapters = [f"adapters/{name}/{file}" for name in ("lower", MIX, "upper") for file in (SETTINGS, WEIGHTS)]
    others = ["README.md", "config.yaml", "results.json", "router.safetensors", "routing.json"]
    assert sorted(hub.files) == sorted([*adapters, *others])
    assert not any(b"secret-folder" in content for content in hub.files.values())

    elsewhere = tmp_path / "elsewhere"
    for name, content in hub.files.items():
        (elsewhere / name).parent.mkdir(parents=True, exist_ok=True)
        (elsewhere / name).write_bytes(content)
    ids = torch.tensor([[5, 6, 7, 8]])
    ours, theirs = (load_routed(folder, load_model("tiny")) for folder in (run / "bundle", elsewhere))
    expected, logits = (routed_logits(one, one.gates(ids.tolist(), ["sums"]), ids) for one in (ours, theirs))
    assert torch.equal(logits, expected)


def test_push_run__public_only_if_said(hub, run):
    hub.repositories["someone/open"] = False
    with pytest.raises(UserError, match="someone/open is public: say --public"):
        push_run(run, "someone/open", api=api(hub))
    assert not hub.files
    push_run(run, "someone/open", public=True, api=api(hub))
    push_run(run, "someone/other", public=True, api=api(hub))
    assert hub.repositories == {"someone/open": False, "someone/other": False} and hub.files


def test_push_run__without_access_is_one_sentence_before_anything_is_done(hub, run, monkeypatch):
    hub.accepts_tokens = False
    monkeypatch.setattr(push, "export_run", lambda run: pytest.fail("verified before the login was checked"))
    with pytest.raises(UserError, match=r"someone/new could not be written on the hub: .*hf auth login") as raised:
        push_run(run, "someone/new", api=api(hub))
    assert "\n" not in str(raised.value) and not hub.files


def test_without_paths__keeps_names_of_the_hub(tmp_path):
    config = tiny_config(model={"name": "owner/model"}, data={"path": "owner/rows", "held_out": 0})
    shared = without_paths(config)
    assert (shared.model.name, shared.data.path) == ("owner/model", "owner/rows")
    assert shared.rewards.functions == ("grpo_fixtures.py:even_share",)
