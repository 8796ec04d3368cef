"""Sandbox: a call that hangs, dies or uses too much memory costs one error, a bug stops the run."""

import logging
import re
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import pytest

from rewards.sandbox import SandboxedVerifier, SandboxLimits, VerifierCall, VerifierError
from rewards.sandbox_answer import clean_line
from rewards.sandbox_worker import load_function
from rewards.verdict import NOT_APPLICABLE, Verdict

SOURCE = """
import ctypes, os, socket, time

import numpy as np
from rewards.verdict import Verdict

# What a verifier must not do, and a library that it calls may: write to the pipe itself.
PIPE = next(
    int(name)
    for name in os.listdir("/proc/self/fd")
    if os.path.exists(f"/proc/self/fd/{name}") and "socket" in os.readlink(f"/proc/self/fd/{name}")
)

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
    if completion == "partial":
        os.write(PIPE, b'[true, 1.0')
        time.sleep(600)
    if completion == "garbage":
        os.write(PIPE, bytes(range(256)))
        time.sleep(600)
    if completion == "flood":
        while True:
            os.write(PIPE, b"[" * 65536)
    if completion == "twice":
        os.write(PIPE, b"[99, true, 0.0, []]" + bytes([10]))
    if completion == "print":
        raise ValueError("red" + chr(27) + "[31m" + chr(13) + "next" + chr(10) + "last")
    if completion == "numpy":
        return Verdict(satisfied=np.bool_(True), margin=np.float32(2), evidence=((np.int64(0), np.int64(5)),))
    if completion.startswith("changed"):
        verdict = Verdict(satisfied=True, margin=1.0, evidence=())
        name, value = {
            "changed one": ("satisfied", 1),
            "changed text": ("margin", "1"),
            "changed nan": ("margin", float("nan")),
            "changed sign": ("margin", -1.0),
            "changed spans": ("evidence", ((0, 99),)),
            "changed many": ("evidence", ((0, 1),) * 3_000_000),
        }[completion]
        object.__setattr__(verdict, name, value)
        return verdict
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
        ("partial", "took longer than 3 s"),
        ("garbage", "bytes that are no answer"),
        ("flood", "bytes that are no answer"),
        ("twice", "no answer|belongs to no call"),
    ],
)
def test_verify_all__failure_costs_one_verdict_and_logs_one_error(verifier, caplog, completion, words):
    with caplog.at_level(logging.ERROR, logger="heed.rewards"):
        verdicts = verifier.verify_all(calls("a", completion, "ab"))
    assert [verdict.satisfied for verdict in verdicts] == [True, None, True]
    assert verdicts[1] == NOT_APPLICABLE
    assert [bool(re.search(words, record.getMessage())) for record in caplog.records] == [True]


@pytest.mark.parametrize(
    ("completion", "words"),
    [
        ("raise", "KeyError: 'no such colour'"),
        ("wrong type", "must return a Verdict, got True"),
        ("changed one", "satisfied must be True, False or None, got 1"),
        ("changed text", "margin must be a number, got '1'"),
        ("changed nan", "margin must be a finite number"),
        ("changed sign", "margin must be >= 0 iff satisfied"),
        ("changed spans", r"evidence \[0, 99\] is no span \(start, end\) of a text of 13 characters"),
        ("changed many", "evidence must be at most 10000 spans"),
        ("call", "must not open network connections"),
    ],
)
def test_sandboxed_verifier__bug_is_an_error_that_names_it(reference, completion, words):
    with SandboxedVerifier(reference) as verifier, pytest.raises(VerifierError, match=words):
        verifier.verify(completion, prompt="")


def test_sandboxed_verifier__numbers_of_numpy_are_taken_as_pythons(verifier):
    [verdict] = verifier.verify_all(calls("numpy"))
    assert verdict == Verdict(satisfied=True, margin=2.0, evidence=((0, 5),))
    assert type(verdict.satisfied) is bool and type(verdict.margin) is float and type(verdict.evidence[0][0]) is int


def test_sandboxed_verifier__what_it_prints_is_one_clean_line(reference):
    with SandboxedVerifier(reference) as verifier, pytest.raises(VerifierError) as raised:
        verifier.verify("print", prompt="")
    assert str(raised.value).isprintable() and str(raised.value).endswith("last")


def test_clean_line__has_no_escapes_and_an_end():
    assert clean_line("a\x1b[31mb\r\n\tc\u202e") == "a [31mb c"
    assert clean_line("x" * 500) == "x" * 300 + "..."


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


def is_alive(process: int) -> bool:
    """Return whether a process exists and has not ended."""
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def wait_for(condition) -> None:
    deadline = monotonic() + 30.0
    while not condition():
        assert monotonic() < deadline, "waited 30 s"
        sleep(0.02)


CHILDREN = """
import os, subprocess, sys, time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from time import monotonic, sleep

from rewards.verdict import Verdict
from bound import MAXIMUM

@dataclass
class Answer:
    length: int

def measured(text) -> "Answer":
    return Answer(len(text))

def judged(completion) -> Verdict:
    margin = float(MAXIMUM - len(completion))
    return Verdict(satisfied=margin >= 0, margin=margin, evidence=())

def with_child(completion, *, prompt):
    if completion == "hang":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path(prompt).write_text(str(child.pid))
        time.sleep(600)
    return judged(completion)

def forked(completion, *, prompt):
    os.fork()  # and both go on
    return judged(completion)

def pooled(completion, *, prompt):
    with ProcessPoolExecutor(1, mp_context=get_context(prompt)) as pool:
        assert pool.submit(measured, completion).result() == Answer(len(completion))
    return judged(completion)
"""


@pytest.fixture(scope="module")
def children(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("children")
    (folder / "children.py").write_text(CHILDREN)
    (folder / "bound.py").write_text("MAXIMUM = 3\n")
    return folder / "children.py"


def test_sandboxed_verifier__forked_child_does_not_answer_in_its_place(children):
    # satisfied are those of at most 3 characters: 2 of 4; a second answer to a call would pass for the next call's
    with SandboxedVerifier(f"{children}:forked") as verifier:
        verdicts = verifier.verify_all(
            [VerifierCall(completion=text, prompt="") for text in ("a", "long", "b", "much")]
        )
    assert [verdict.satisfied for verdict in verdicts] == [True, False, True, False]


@pytest.mark.parametrize("start_method", ["fork", "spawn"])
def test_sandboxed_verifier__may_use_a_pool_dataclasses_and_files_beside_it(children, start_method):
    limits = SandboxLimits(seconds=60.0)
    with SandboxedVerifier(f"{children}:pooled", limits=limits) as verifier:
        assert verifier.verify("four", prompt=start_method).margin == -1


def test_sandboxed_verifier__timeout_ends_what_the_verifier_has_started(children, tmp_path):
    with SandboxedVerifier(f"{children}:with_child", limits=SandboxLimits(seconds=2.0)) as verifier:
        assert verifier.verify("hang", prompt=str(tmp_path / "pid")) == NOT_APPLICABLE
        wait_for(lambda: not is_alive(int((tmp_path / "pid").read_text())))
        assert verifier.verify("abc", prompt="").satisfied


def test_sandboxed_verifier__ends_with_a_run_that_is_killed(children, tmp_path):
    run = f"""
from rewards.sandbox import SandboxedVerifier, SandboxLimits
if __name__ == "__main__":
    verifier = SandboxedVerifier("{children}:with_child", limits=SandboxLimits(seconds=600.0))
    verifier.verify("hang", prompt="{tmp_path / "pid"}")
"""
    (tmp_path / "run.py").write_text(run)
    with subprocess.Popen([sys.executable, tmp_path / "run.py"]) as process:
        wait_for(lambda: (tmp_path / "pid").is_file() and (tmp_path / "pid").read_text())
        process.kill()
    wait_for(lambda: not is_alive(int((tmp_path / "pid").read_text())))
