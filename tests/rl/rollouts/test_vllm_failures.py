"""Failures of vLLM: its own reason is found where it was written, and only what another try may mend is tried again."""

import os
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError, model_validator

from rl.common.errors import RunFailure
from rl.rollouts.vllm_failures import failing_with_reason, own_error

MEMORY = "Available memory on node 0 (13.53/16.84 GiB) on startup is less than desired CPU memory utilization"
WRITTEN = f"""\
(EngineCore pid=71) INFO 11-29 08:10:02 [core.py:97] Initializing a V1 LLM engine
(EngineCore pid=71) ERROR 11-29 08:10:09 [core.py:1022] EngineCore failed to start.
(EngineCore pid=71) ERROR 11-29 08:10:09 [core.py:1022] Traceback (most recent call last):
(EngineCore pid=71) ERROR 11-29 08:10:09 [core.py:1022] ValueError: {MEMORY}
(EngineCore pid=71) RuntimeError: WorkerProc initialization failed due to an exception in a background process.
"""
NO_REASON = "Engine core initialization failed. See root cause above. Failed core proc(s): {}"


@pytest.mark.parametrize(
    ("error", "written", "expected"),
    [
        (RuntimeError(NO_REASON), WRITTEN, ("ValueError", MEMORY)),
        (RuntimeError(NO_REASON), "nothing of use", ("RuntimeError", NO_REASON)),
        (ValueError("max_model_len is\n too large"), WRITTEN, ("ValueError", "max_model_len is too large")),
        (
            RuntimeError(NO_REASON),
            "torch.OutOfMemoryError: CUDA out of memory.",
            ("OutOfMemoryError", "CUDA out of memory."),
        ),
    ],
)
def test_own_error__is_the_last_one_that_gives_a_reason(error, written, expected):
    assert own_error(error, written) == expected


class Options(BaseModel):
    """Refuses an option as vLLM's settings do, which are pydantic's too."""

    quantization: str

    @model_validator(mode="after")
    def check(self) -> "Options":
        raise ValueError(f"Unknown quantization method: {self.quantization}.\n Must be one of ['awq'].")


def test_own_error__of_an_option_is_the_reason_without_pydantics_frame():
    with pytest.raises(ValidationError) as refused:
        Options(quantization="awk")
    assert "[type=value_error, input_value" in str(refused.value)
    reason = "Unknown quantization method: awk. Must be one of ['awq']."
    assert own_error(refused.value, "") == ("ValidationError", reason)


@pytest.fixture
def log(tmp_path: Path):
    """Standard error goes into a file in the test, as in a worker of Ray's."""
    saved, path = os.dup(2), tmp_path / "worker.err"
    with path.open("wb") as file:
        os.dup2(file.fileno(), 2)
    yield path
    os.dup2(saved, 2)
    os.close(saved)


def test_failing_with_reason__reads_what_was_written_since(log):
    os.write(2, b"ValueError: of an earlier start\n")
    available = r"^vLLM: ValueError: Available memory on node 0 .*rollouts\.vllm\.\*"
    with pytest.raises(RunFailure, match=available), failing_with_reason():
        os.write(2, WRITTEN.encode())
        raise RuntimeError(NO_REASON)
    with pytest.raises(RunFailure, match=r"^vLLM: RuntimeError: Engine core"), failing_with_reason():
        raise RuntimeError(NO_REASON)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("No available memory for the cache blocks"),
        TypeError("EngineArgs.__init__() got an unexpected keyword argument 'no_such'"),
        RuntimeError("Unsupported CPU attention configuration: head_dim=16"),
    ],
)
def test_failing_with_reason__what_no_other_try_mends_stops_the_run(error):
    with pytest.raises(RunFailure, match="vLLM: "), failing_with_reason():
        raise error


def test_failing_with_reason__a_port_in_use_may_be_free_at_the_next_try():
    with pytest.raises(RuntimeError, match=r"OSError: .*Address already in use") as caught, failing_with_reason():
        raise OSError(98, "Address already in use")
    assert not isinstance(caught.value, RunFailure)
