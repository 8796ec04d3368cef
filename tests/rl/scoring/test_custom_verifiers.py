"""Custom verifiers: known by their id inside the block, cached, and never able to take a run down."""

import logging
from pathlib import Path

import pytest

from data.problems import ConstraintSpec, Problem
from data.reading import read_problems
from data.verdicts import verdicts_for
from data.writing import write_rows
from rewards.sandbox import VerifierError
from rewards.verifiers import known_kinds, verify
from rl.config.rewards import RewardsConfig
from rl.scoring.custom_verifiers import custom_verifiers

SOURCE = """
import time
from rewards.verdict import Verdict

def shorter(completion, *, prompt, than, colour="red"):
    with open(__file__ + ".calls", "a") as calls:
        calls.write("x")
    if completion == "hang":
        time.sleep(600)
    if completion == "grow":
        bytearray(8 << 30)
    if completion == "raise":
        raise KeyError("no such colour")
    evidence = ((0, 99),) if completion == "beyond" else ()
    margin = float(than - len(completion))
    return Verdict(satisfied=margin >= 0, margin=margin, evidence=evidence)
"""
NO_COMMA = ConstraintSpec(id="punctuation:no_comma", kwargs={}, text="Use no commas.")
SHORTER = ConstraintSpec(id="own:shorter", kwargs={"than": 6}, text="Be short.")
PROBLEM = Problem(
    problem_id="p", messages=({"role": "user", "content": "Describe rain."},), constraints=(NO_COMMA, SHORTER)
)


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("own") / "mine.py"
    path.write_text(SOURCE)
    return path


@pytest.fixture(scope="module")
def rewards(file) -> RewardsConfig:
    return RewardsConfig(verifiers={"own:shorter": f"{file}:shorter"}, verifier_seconds=3.0)


@pytest.fixture
def known(rewards):
    with custom_verifiers(rewards):
        yield


def test_custom_verifiers__the_block_verifies_by_the_setting():
    text = "Rain\uff0c sun"  # a full-width comma: one to a reader, none to IFEval
    for semantics, satisfied in (("eval", True), ("reward", False)):
        with custom_verifiers(RewardsConfig(semantics=semantics)):
            assert verify("punctuation:no_comma", text, prompt="").satisfied is satisfied
    assert RewardsConfig().semantics == "reward"


def test_custom_verifiers__are_known_inside_the_block(rewards):
    with custom_verifiers(rewards):
        assert "own:shorter" in known_kinds()
        assert [verdict.margin for verdict in verdicts_for(PROBLEM, "Rain")] == [0, 2]
    assert "own:shorter" not in known_kinds()
    with pytest.raises(ValueError, match="unknown constraint kind 'own:shorter'"):
        verdicts_for(PROBLEM, "Rain")


def test_custom_verifiers__wrong_arguments_are_named_when_the_data_are_read(known, tmp_path):
    constraints = [{"id": "own:shorter", "kwargs": {"then": 6}}]
    path = write_rows([{"prompt": "Write.", "constraints": constraints}], tmp_path / "prompts.jsonl")
    with pytest.raises(ValueError, match=r"prompts\.jsonl:1: arguments of 'own:shorter' do not fit: than: .*; then:"):
        read_problems(path)


@pytest.mark.parametrize("text", ["hang", "grow"])
def test_custom_verifiers__one_that_hangs_or_grows_costs_one_error_and_its_verdict(known, caplog, text):
    with caplog.at_level(logging.ERROR, logger="heed.rewards"):
        judged = [verdicts_for(PROBLEM, one) for one in (text, text, "Rain")]
    assert [[verdict.satisfied for verdict in verdicts] for verdicts in judged] == [[True, None]] * 2 + [[True, True]]
    assert len(caplog.records) == 1, "the second call is answered from the cache"


def test_custom_verifiers__a_bug_stops_the_run_with_its_name(known):
    with pytest.raises(VerifierError, match="KeyError: 'no such colour'"):
        verify("own:shorter", "raise", prompt="", than=6)


def test_custom_verifiers__evidence_beyond_the_text_is_a_bug(known):
    with pytest.raises(VerifierError, match=r"is no span \(start, end\) of a text of 6 characters"):
        verify("own:shorter", "beyond", prompt="", than=6)


def test_custom_verifiers__a_repeated_text_costs_one_call(known, file):
    before = len(Path(f"{file}.calls").read_text()) if Path(f"{file}.calls").exists() else 0
    for _ in range(3):
        verdicts_for(PROBLEM, "once")
    assert len(Path(f"{file}.calls").read_text()) == before + 1


@pytest.mark.parametrize(
    ("kind", "reference", "argument_error"),
    [
        ("own:none", "nowhere.py:f", r"rewards\.verifiers\.own:none: no file 'nowhere\.py'"),
        ("own:none", "{file}:longer", r"rewards\.verifiers\.own:none: .*could not be loaded.*no function 'longer'"),
        ("punctuation:no_comma", "{file}:shorter", "exist already"),
    ],
)
def test_custom_verifiers__one_that_cannot_be_loaded_is_one_sentence(file, kind, reference, argument_error):
    rewards = RewardsConfig(verifiers={kind: reference.format(file=file)})
    with pytest.raises(ValueError, match=argument_error), custom_verifiers(rewards):
        pass
