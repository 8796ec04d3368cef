"""A trainer rank in a process of Ray's: its training, its log file and its errors."""

import os
import traceback
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from launch.environment import prepare_environment
from rl.common.errors import USER_ERRORS, RunFailure, UserError, full_message
from rl.config.load import parse_config
from rl.config.root import Config


class RankLost(RunFailure):
    """A rank, or its node, ended without giving a reason."""


def train_rank(job: dict[str, Any]) -> None:
    """Train as the rank that Ray Train has made this process, which prints to its own log file."""
    os.chdir(job["directory"])
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
        train(config, locked=True)  # by the process that started the ranks
    except SystemExit as ended:
        raise UserError(f"a rank ended with exit code {ended.code}") from ended
    except USER_ERRORS as error:
        raise UserError(full_message(error)) from error


def cause_of(error: Exception) -> Exception:
    """Return the error of the ranks that explains Ray Train's error best; RankLost when none does."""
    failures: dict[int, Exception] = getattr(error, "worker_failures", {})
    raised = [getattr(failure, "_base_exc", failure) for _, failure in sorted(failures.items())]
    for kind in (UserError, RunFailure):
        for cause in raised:
            if isinstance(cause, kind):
                return cause
    summary = "; ".join(
        f"rank {rank}: {str(failure).splitlines()[-1].strip()}" for rank, failure in sorted(failures.items())
    )
    return RankLost(f"ranks were lost: {summary or error}")
