"""Own code: verifiers that the user brings, known while a run needs them, and kept in its folder."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from rewards.sandbox import SandboxedVerifier, SandboxLimits, VerifierError
from rewards.verdict import Verdict
from rewards.verifier_args import model_of_argument_names
from rewards.verifiers import VerifierKind, custom_kinds
from rl.common.errors import UserError
from rl.config.rewards import RewardsConfig

REMEMBERED = 4096
"""Verdicts kept, so that a text which is scored and then recorded is judged once."""


@contextmanager
def custom_verifiers(rewards: RewardsConfig) -> Iterator[None]:
    """Know the kinds of `rewards.verifiers` while the block runs, each in a process of its own.

    Raises UserError when a file or a function is missing, or an id is taken.
    """
    limits = SandboxLimits(seconds=rewards.verifier_seconds, mebibytes=rewards.verifier_mebibytes)
    with ExitStack() as open_processes:
        kinds = {
            kind: _isolated(open_processes.enter_context(_started(kind, reference, limits)))
            for kind, reference in rewards.verifiers.items()
        }
        open_processes.enter_context(custom_kinds(kinds))
        yield


def _started(kind: str, reference: str, limits: SandboxLimits) -> SandboxedVerifier:
    path = reference.rpartition(":")[0]
    if not Path(path).is_file():
        raise UserError(f"rewards.verifiers.{kind}: no file {path!r}; write path/to/file.py:function")
    try:
        return SandboxedVerifier(reference, limits=limits)
    except VerifierError as error:
        raise UserError(f"rewards.verifiers.{kind}: {error}") from error


def _isolated(isolated: SandboxedVerifier) -> VerifierKind:
    @lru_cache(maxsize=REMEMBERED)
    def remembered(completion: str, prompt: str, kwargs: str) -> Verdict:
        return isolated.verify(completion, prompt=prompt, **json.loads(kwargs))

    def verifier(completion: str, *, prompt: str, **kwargs: Any) -> Verdict:
        return remembered(completion, prompt, json.dumps(kwargs, sort_keys=True))

    named = isolated.keywords
    arguments = model_of_argument_names(named.required, named.optional, accepts_any=named.accepts_any)
    return VerifierKind(verifier=verifier, arguments=arguments, reads_prompt=True)
