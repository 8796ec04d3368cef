"""Custom code: copied when a run starts; a resume with changed code is refused unless it is accepted."""

from pathlib import Path

import pytest

from rl.common.errors import UserError
from rl.config.root import Config
from rl.runs.custom_code import custom_files, first_difference, save_custom_code
from rl.runs.inputs import check_inputs
from tests.rl.grpo_fixtures import tiny_config

REWARD = "def reward(completions, **columns):\n    return [0.0] * len(completions)\n"


@pytest.fixture
def reward(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(REWARD)
    return path


def config_of(path: Path, run: Path | None = None, *, accept: bool = False) -> Config:
    config = tiny_config(
        rewards={"functions": [f"{path}:reward"], "satisfaction_weight": 0.0}, run={"accept_changed_code": accept}
    )
    return config.model_copy(update={"resume": run})


def started_run(path: Path) -> Path:
    run = path.parent / "run"
    save_custom_code(config_of(path), run)
    return run


def copies(run: Path) -> list[str]:
    return [path.read_text() for path in sorted((run / "custom").iterdir(), key=lambda path: len(path.name))]


def test_custom_files__are_listed_once_with_all_their_settings():
    config = tiny_config(
        rewards={"functions": ["a.py:one", "a.py:two"], "verifiers": {"own:x": "a.py:x", "own:y": "b.py:y"}},
        credit={"rule": "c.py:rule"},
    )
    assert custom_files(config) == {
        Path("a.py"): "rewards.functions, rewards.verifiers.own:x",
        Path("b.py"): "rewards.verifiers.own:y",
        Path("c.py"): "credit.rule",
    }


def test_unchanged_code__is_resumed_without_a_word(reward, caplog):
    run = started_run(reward)
    check_inputs(config_of(reward, run))
    save_custom_code(config_of(reward, run), run)
    assert copies(run) == [REWARD]
    assert caplog.text == ""


def test_changed_code__is_refused_by_name_with_both_digests(reward):
    run = started_run(reward)
    reward.write_text(REWARD.replace("0.0", "1.0"))
    with pytest.raises(UserError) as refused:
        check_inputs(config_of(reward, run))
    # sha256sum of the two texts
    assert str(refused.value) == (
        f"rewards.functions: {reward} has changed since the run was started (sha256 {{}} then, {{}} now; line 2 was "
        "'    return [0.0] * len(completions)' and is '    return [1.0] * len(completions)')\n"
        f"restore it from its copy in {run}/custom, or accept the new code with --accept-changed-code"
    ).format("aec9f37437ab", "8404e5c4a693")
    assert copies(run) == [REWARD]


def test_accepted_code__is_copied_beside_the_old_copy(reward, caplog):
    run, changed = started_run(reward), REWARD.replace("0.0", "1.0")
    reward.write_text(changed)
    accepting = config_of(reward, run, accept=True)
    check_inputs(accepting)
    save_custom_code(accepting, run)
    assert copies(run) == [REWARD, changed]
    [said] = caplog.messages
    assert said.startswith(f"{reward} has changed since ") and said.endswith("; the run goes on with the new code")
    # from now on the new code is the run's
    check_inputs(config_of(reward, run))


def test_missing_file__is_an_error_where_it_is_loaded(reward):
    run = started_run(reward)
    reward.unlink()
    check_inputs(config_of(reward, run))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("a\nb\n", "a\nc\n", "line 2 was 'b' and is 'c'"),
        ("a\n", "a\nb\n", "line 2 was missing and is 'b'"),
        ("a\nb", "a", "line 2 was 'b' and is missing"),
        ("a\n", "a\r\n", "only in its line ends"),
    ],
)
def test_first_difference__names_the_line(before, after, expected, tmp_path):
    for name, text in (("before", before), ("after", after)):
        (tmp_path / name).write_bytes(text.encode())
    assert first_difference(tmp_path / "before", tmp_path / "after") == expected
