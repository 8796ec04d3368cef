"""Custom verifiers: the user's own, each run in a process with limits, and their files copied into the run folder."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from rewards.sandbox import SandboxedVerifier, SandboxLimits, VerifierError
from rewards.verdict import Verdict
from rewards.verifier_args import model_of_argument_names
from rewards.verifiers import VerifierKind, custom_kinds, verifying
from rl.common.errors import UserError
from rl.config.rewards import RewardsConfig

CACHE_SIZE = 4096
"""Latest verdicts of each verifier: a completion that is sampled again costs no second call, nor a second timeout."""


@contextmanager
def custom_verifiers(rewards: RewardsConfig) -> Iterator[None]:
    """Make the kinds of `rewards.verifiers` known in the block, and verify by `rewards.semantics`.

    Each custom verifier runs in a separate process.

    Raises UserError when a file or a function is missing, or an id is taken.
    """
    limits = SandboxLimits(seconds=rewards.verifier_seconds, mebibytes=rewards.verifier_mebibytes)
    with ExitStack() as processes:
        kinds = {
            kind: _verifier_kind(processes.enter_context(_started(kind, reference, limits)))
            for kind, reference in rewards.verifiers.items()
        }
        processes.enter_context(custom_kinds(kinds))
        processes.enter_context(verifying(rewards.semantics))
        yield


def _started(kind: str, reference: str, limits: SandboxLimits) -> SandboxedVerifier:
    path = reference.rpartition(":")[0]
    if not Path(path).is_file():
        raise UserError(f"rewards.verifiers.{kind}: no file {path!r}; write path/to/file.py:function")
    try:
        return SandboxedVerifier(reference, limits=limits)
    except VerifierError as error:
        raise UserError(f"rewards.verifiers.{kind}: {error}") from error


def _verifier_kind(sandboxed: SandboxedVerifier) -> VerifierKind:
    @lru_cache(maxsize=CACHE_SIZE)
    def cached(completion: str, prompt: str, kwargs: str) -> Verdict:
        return sandboxed.verify(completion, prompt=prompt, **json.loads(kwargs))

    def verifier(completion: str, *, prompt: str, **kwargs: Any) -> Verdict:
        return cached(completion, prompt, json.dumps(kwargs, sort_keys=True))

    named = sandboxed.keywords
    arguments = model_of_argument_names(named.required, named.optional, accepts_any=named.accepts_any)
    return VerifierKind(verifier=verifier, arguments=arguments, reads_prompt=True)
