"""Sandbox: a call that hangs, dies or uses too much memory costs one error, a bug stops the run."""

import logging
from pathlib import Path

import pytest

from rewards.sandbox import SandboxedVerifier, SandboxLimits, VerifierCall, VerifierError
from rewards.sandbox_worker import load_function
from rewards.verdict import NOT_APPLICABLE

SOURCE = """
import ctypes, os, socket, time
from rewards.verdict import Verdict

def short(completion, *, prompt, maximum=9):
    if completion == "hang":
        time.sleep(600)
    if completion == "die":
        os._exit(7)
    if completion == "crash":
        ctypes.string_at(0)
    if completion == "grow":
        bytearray(8 << 30)
    if completion == "raise":
        raise KeyError("no such colour")
    if completion == "call":
        socket.create_connection(("localhost", 9))
    if completion == "wrong type":
        return True
    margin = float(maximum - len(completion))
    return Verdict(satisfied=margin >= 0, margin=margin, evidence=())
"""


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> str:
    path: Path = tmp_path_factory.mktemp("verifier") / "short.py"
    path.write_text(SOURCE)
    return f"{path}:short"


@pytest.fixture(scope="module")
def verifier(reference):
    with SandboxedVerifier(
        reference, workers=2, limits=SandboxLimits(seconds=3.0, mebibytes=2048, failures=9)
    ) as verifier:
        yield verifier


def calls(*completions):
    return [VerifierCall(completion=completion, prompt="", kwargs={"maximum": 5}) for completion in completions]


def test_verify_all__keeps_the_order_of_the_calls(verifier):
    verdicts = verifier.verify_all(calls("a", "seven..", "abc", "abcd", ""))
    assert [verdict.margin for verdict in verdicts] == [4, -2, 2, 1, 5]


@pytest.mark.parametrize(
    ("completion", "words"),
    [
        ("hang", "took longer than 3 s"),
        ("die", "ended with code 7"),
        ("crash", "ended with code -11"),
        ("grow", "MemoryError"),
    ],
)
def test_verify_all__failure_costs_one_verdict_and_logs_one_error(verifier, caplog, completion, words):
    with caplog.at_level(logging.ERROR, logger="heed.rewards"):
        verdicts = verifier.verify_all(calls("a", completion, "ab"))
    assert [verdict.satisfied for verdict in verdicts] == [True, None, True]
    assert verdicts[1] == NOT_APPLICABLE
    assert [words in record.getMessage() for record in caplog.records] == [True]


@pytest.mark.parametrize(
    ("completion", "words"),
    [
        ("raise", "KeyError: 'no such colour'"),
        ("wrong type", "must return a Verdict, got True"),
        ("call", "must not open network connections"),
    ],
)
def test_sandboxed_verifier__bug_is_an_error_that_names_it(reference, completion, words):
    with SandboxedVerifier(reference) as verifier, pytest.raises(VerifierError, match=words):
        verifier.verify(completion, prompt="")


def test_sandboxed_verifier__too_many_failures_in_a_row_are_an_error(reference):
    limits = SandboxLimits(seconds=60.0, failures=1)
    with SandboxedVerifier(reference, limits=limits) as verifier:
        assert verifier.verify_all(calls("die", "a", "die"))[1].satisfied
        with pytest.raises(VerifierError, match="failed 2 times in a row"):
            verifier.verify("die", prompt="")


@pytest.mark.parametrize("wrong", ["short", "nowhere.py:short", "rewards.verdict:nothing"])
def test_sandboxed_verifier__unloadable_function_is_an_error_at_once(wrong):
    with pytest.raises(VerifierError, match="could not be loaded"):
        SandboxedVerifier(wrong)


def test_load_function__by_module():
    from rewards.verifiers.punctuation import no_comma

    assert load_function("rewards.verifiers.punctuation:no_comma") is no_comma


def test_sandboxed_verifier__needs_workers():
    with pytest.raises(ValueError, match="at least 1 worker"):
        SandboxedVerifier("rewards.verdict:Verdict", workers=0)
