"""A rank in a process that Ray started: what it trains, where it prints, and what it says when it cannot go on."""

import os
import traceback
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from launch.environment import prepare_environment
from rl.common.errors import USER_ERRORS, RunFailure, UserError
from rl.config.load import parse_config
from rl.config.root import Config


class RankLost(RunFailure):
    """A rank ended without saying why, or its node did."""


def train_rank(job: dict[str, Any]) -> None:
    """Train as one of the ranks; Ray Train has said who is who. Prints go to the job's `log`, of this rank's number."""
    os.chdir(job["here"])
    config = parse_config(job["settings"])
    prepare_environment(config)
    with (
        open(job["log"].format(os.environ["RANK"]), "a", buffering=1) as log,
        redirect_stdout(log),
        redirect_stderr(log),
    ):
        try:
            _train(config)
        except (UserError, RunFailure):
            raise  # the process that started the ranks prints it
        except Exception:
            traceback.print_exc()
            raise


def _train(config: Config) -> None:
    from rl.train import train

    try:
        train(config)
    except SystemExit as ended:
        if ended.code:
            raise UserError(f"a rank ended with exit code {ended.code}") from ended
    except USER_ERRORS as error:
        raise UserError(str(error)) from error


def cause_of(error: Exception) -> Exception:
    """What a rank said of Ray Train's error, the most telling first; Lost for all that nobody foresaw."""
    failures: dict[int, Exception] = getattr(error, "worker_failures", {})
    said = [getattr(failure, "_base_exc", failure) for _, failure in sorted(failures.items())]
    for kind in (UserError, RunFailure):
        for cause in said:
            if isinstance(cause, kind):
                return cause
    told = "; ".join(
        f"rank {rank}: {str(failure).splitlines()[-1].strip()}" for rank, failure in sorted(failures.items())
    )
    return RankLost(f"ranks were lost: {told or error}")
