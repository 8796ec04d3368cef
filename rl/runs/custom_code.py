"""Custom code: the user's rewards, verifiers and credit rule, copied into the run and compared with it at a resume."""

import logging
from collections import defaultdict
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from rl.common.digest import file_digest
from rl.common.plugins import add_copy, newest_copy
from rl.config.credit_rules import CREDIT_RULES
from rl.config.root import Config

log = logging.getLogger("heed.resume")


def custom_files(config: Config) -> dict[Path, str]:
    """Return the Python files that the config names, each with the settings that name it."""
    references = [("rewards.functions", reference) for reference in config.rewards.functions]
    references += [(f"rewards.verifiers.{kind}", reference) for kind, reference in config.rewards.verifiers.items()]
    if config.credit.rule not in CREDIT_RULES:
        references.append(("credit.rule", config.credit.rule))
    keys: dict[Path, list[str]] = defaultdict(list)
    for key, reference in references:
        keys[Path(reference.rpartition(":")[0])].append(key)
    return {path: ", ".join(dict.fromkeys(names)) for path, names in keys.items()}


def save_custom_code(config: Config, folder: Path) -> None:
    """Copy the user's files into the run folder; one that changed is copied beside its older copy."""
    for path in custom_files(config):
        copy = newest_copy(path, folder)
        if not path.is_file():
            continue  # an error where it is loaded; the credit rule is loaded from its copy
        if copy is None:
            add_copy(path, folder)
        elif file_digest(path) != file_digest(copy):
            log.warning("%s has changed since %s was saved; the run goes on with the new code", path, copy)
            add_copy(path, folder)


def changed_code(config: Config, folder: Path) -> Iterator[str]:
    """Yield a sentence for each of the user's files that differs from the run's newest copy of it."""
    for path, keys in custom_files(config).items():
        copy = newest_copy(path, folder)
        if copy is not None and path.is_file() and file_digest(path) != file_digest(copy):
            yield (
                f"{keys}: {path} has changed since the run was started (sha256 {file_digest(copy)[:12]} then, "
                f"{file_digest(path)[:12]} now; {first_difference(copy, path)})"
            )


def first_difference(before: Path, after: Path) -> str:
    """Describe the first line in which two text files differ."""
    lines = zip_longest(*(path.read_text(encoding="utf-8", errors="replace").splitlines() for path in (before, after)))
    for number, (old, new) in enumerate(lines, start=1):
        if old != new:
            was, now = ("missing" if line is None else repr(line) for line in (old, new))
            return f"line {number} was {was} and is {now}"
    return "only in its line ends"
