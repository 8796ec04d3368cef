"""Contradictions of `data` with itself and with what is trained."""

from collections.abc import Iterator

from rl.config.data import DataConfig
from rl.config.sections import Sections


def data_contradictions(config: Sections) -> Iterator[str]:
    """Yield one sentence for each contradiction, which names the keys and the fix."""
    yield from _data(config.data)
    yield from _order(config)


def _data(data: DataConfig) -> Iterator[str]:
    if data.min_constraints > data.max_constraints:
        yield (
            f"data.min_constraints={data.min_constraints} is more than data.max_constraints={data.max_constraints}; "
            "raise max_constraints (5 at most), or lower min_constraints"
        )
    if data.path is None and data.held_out_path is not None:
        yield (
            f"data.held_out_path={data.held_out_path} needs a data.path to train on: without one, all problems are "
            "generated; set data.path, or drop held_out_path"
        )
    if data.path is not None and data.kinds is not None:
        yield (
            f"data.kinds chooses which problems to generate, but data.path={data.path} has problems already; "
            "set one of the two to null"
        )


def _order(config: Sections) -> Iterator[str]:
    """Refuse an order that no ledger decides, one that a rebuilt ledger would change, and a band that is none."""
    data, (low, high) = config.data, config.data.band
    if data.order == "shuffled":
        return
    if config.algorithm != "grpo":
        yield (
            f"data.order={data.order} goes by the rewards of sampled completions, which only algorithm=grpo has in its "
            "ledger; set order=shuffled, or algorithm=grpo"
        )
    if config.run.rebuild_ledger:
        yield (
            f"run.rebuild_ledger=true brings back no rewards, and data.order={data.order} goes by them; start a new run"
        )
    if low > high:
        yield f"data.band=[{low:g}, {high:g}]: the first value is the lower one; write [{high:g}, {low:g}]"
