"""Record of served adapters: the next start of a killed run removes what it left, and nothing of anybody else's."""

from pathlib import Path
from typing import Any

from rl.rollouts.engine_vllm_server import worker_engine
from rl.rollouts.workers.served_record import record_names, remove_recorded
from rl.runs.folder import open_run
from tests.rl.grpo_fixtures import credit_trainer, tiny_config
from tests.rl.rollouts.fake_vllm_server import FakeVllmServer, Refused
from tests.rl.rollouts.test_engine_vllm_server import make_policy, make_setup, payload_of


def serve(server: FakeVllmServer, names: str, files: Path | None) -> None:
    """Load an adapter as a run does that is killed then: nobody closes the engine."""
    worker_engine(make_setup(server.url, names=names, folder=files)).load_adapter(payload_of(make_policy()))


def test_remove_recorded__takes_the_runs_adapters_and_files_and_no_others(tmp_path):
    run, files = tmp_path / "run", tmp_path / "files"
    with FakeVllmServer() as server:
        other = record_names(tmp_path / "other", [server.url], files)
        for names in (record_names(run, [server.url], files), record_names(run, [server.url], files), other):
            serve(server, names, files)
        assert len(server.adapters) == len(list(files.iterdir())) == 3
        assert len(remove_recorded(run)) == 2  # of both earlier starts
        (left,) = server.adapters
        (folder,) = files.iterdir()
        assert left.startswith(other) and folder.name.startswith(other)
        assert list(run.iterdir()) == []
        assert remove_recorded(run) == []


def test_remove_recorded__finds_files_in_the_systems_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    with FakeVllmServer() as server:
        serve(server, record_names(tmp_path, [server.url], None), None)
        assert len(list((tmp_path / "tmp").iterdir())) == 1
        assert remove_recorded(tmp_path) == server.names
    assert list((tmp_path / "tmp").iterdir()) == []


def test_remove_recorded__does_without_a_server_that_is_gone(tmp_path):
    with FakeVllmServer() as server:
        serve(server, record_names(tmp_path, [server.url], tmp_path / "files"), tmp_path / "files")
    assert remove_recorded(tmp_path) == []
    assert list(tmp_path.glob("served-*")) == list((tmp_path / "files").iterdir()) == []


def test_remove_recorded__warns_of_a_server_that_refuses(tmp_path, caplog):
    class Locked(FakeVllmServer):
        def _route(self, path: str, body: dict[str, Any] | None) -> Any:
            raise Refused(401, "Unauthorized")

    with Locked() as server:
        names = record_names(tmp_path, [server.url], None)
        assert remove_recorded(tmp_path) == []
    assert f"named {names}-*, may be left on a server: {server.url} wants another key" in caplog.text


def test_a_resume__removes_what_the_killed_run_left_on_its_server(tmp_path, caplog):
    with FakeVllmServer() as server:
        rollouts = {"engine": "vllm_server", "url": server.url}
        config = tiny_config(rollouts=rollouts, trainer={"max_steps": 2, "save_steps": 1})
        trainer = credit_trainer(config, tmp_path)
        trainer.train()
        (left,) = server.adapters  # as after SIGKILL, the sampler is not closed
        with open_run(config.model_copy(update={"resume": tmp_path})):
            assert (left in server.names, server.adapters) == (True, {})
        trainer.rollouts.close()
    assert f"unloaded what the killed run had left on its servers: {left}" in caplog.text
