"""Units of work: a rank's prompts split into rollout requests, by the data order alone."""

from collections.abc import Sequence

from rl.common.errors import UserError
from rl.rollouts.types import RolloutRequest


def split_requests(
    prompts: Sequence[tuple[int, ...]],
    *,
    num_generations: int,
    groups_per_unit: int | None,
    position: int,
    version: int,
    seed: int,
    tasks: Sequence[str] = (),
) -> list[RolloutRequest]:
    """Split repeated prompts (B = groups x num_generations, each group adjacent) into requests.

    `position` is the first group's position in the data order; `tasks` has one a group, or none.
    Raises UserError when a group is split.
    """
    groups = [tuple(prompts[start : start + num_generations]) for start in range(0, len(prompts), num_generations)]
    if any(len(group) != num_generations or len(set(group)) != 1 for group in groups):
        raise UserError(
            f"{len(prompts)} prompts do not form whole groups of {num_generations} equal ones: make "
            "trainer.per_device_train_batch_size x trainer.steps_per_generation a multiple of trainer.num_generations"
        )
    size = groups_per_unit or len(groups)
    return [
        RolloutRequest(
            position=position + first,
            prompts=tuple(group[0] for group in groups[first : first + size]),
            num_generations=num_generations,
            version=version,
            seed=seed,
            tasks=tuple(tasks[first : first + size]),
        )
        for first in range(0, len(groups), size)
    ]
