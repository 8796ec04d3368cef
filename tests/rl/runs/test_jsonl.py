"""JSONL files: what was appended is read back, whatever the text, and a kill costs at most the line it cut."""

from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from rl.runs.jsonl import JsonlFile, read_jsonl


def make_file(folder: Path, *steps: int) -> JsonlFile:
    log_file = JsonlFile(folder / "metrics.jsonl")
    log_file.append(*({"step": step} for step in steps))
    return log_file


@given(st.text(st.characters(exclude_categories=("Cs",))))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_read_jsonl__gives_back_any_text(tmp_path, text):
    # line separators such as U+2028, which JSON leaves as they are, among it
    path = tmp_path / "texts.jsonl"
    path.unlink(missing_ok=True)
    lines = [{"step": 1, "text": text}, {"step": 2, "text": text}]
    JsonlFile(path).append(*lines)
    assert read_jsonl(path) == lines


def test_read_jsonl__a_line_separator_in_a_text_ends_no_line(tmp_path):
    lines = [{"step": 1, "text": "a\u2028b\x85c\x1cd\r\n"}]
    log_file = JsonlFile(tmp_path / "texts.jsonl")
    log_file.append(*lines)
    log_file.rewind(1)
    assert read_jsonl(log_file.path) == lines


def test_read_jsonl__leaves_out_a_truncated_last_line(tmp_path):
    log_file = make_file(tmp_path, 1, 2)
    whole = log_file.path.read_bytes()
    for cut in range(1, len(b'{"step": 2}\n') + 1):
        log_file.path.write_bytes(whole[:-cut])
        assert read_jsonl(log_file.path) == [{"step": 1}]


def test_read_jsonl__leaves_out_a_character_cut_in_half(tmp_path):
    log_file = make_file(tmp_path, 1)
    with log_file.path.open("ab") as file:
        file.write('{"step": 2, "text": "é'.encode()[:-1])
    assert read_jsonl(log_file.path) == [{"step": 1}]
    log_file.rewind(1)
    assert log_file.path.read_text() == '{"step": 1}\n'


def test_read_jsonl__names_file_and_line_of_any_other_bad_line(tmp_path):
    log_file = make_file(tmp_path, 1)
    with log_file.path.open("a") as file:
        file.write('{"step": \n{"step": 3}\n')
    with pytest.raises(ValueError, match=r"metrics\.jsonl:2: not JSON"):
        read_jsonl(log_file.path)


def test_rewind__removes_later_steps(tmp_path):
    log_file = make_file(tmp_path, 1, 2, 2, 3)
    log_file.rewind(2)
    assert read_jsonl(log_file.path) == [{"step": 1}, {"step": 2}, {"step": 2}]
    log_file.append({"step": 3, "again": True})
    assert read_jsonl(log_file.path)[-1] == {"step": 3, "again": True}


def test_rewind__removes_a_truncated_line(tmp_path):
    # else the next line would be glued to it
    log_file = make_file(tmp_path, 1)
    with log_file.path.open("a") as file:
        file.write('{"step": 1, "lo')
    log_file.rewind(1)
    log_file.append({"step": 2})
    assert read_jsonl(log_file.path) == [{"step": 1}, {"step": 2}]


def test_rewind__of_a_file_that_was_never_written_does_nothing(tmp_path):
    JsonlFile(tmp_path / "none.jsonl").rewind(3)
    assert list(tmp_path.iterdir()) == []
