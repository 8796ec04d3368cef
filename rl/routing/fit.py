"""Fitting: a router learns from the training prompts, before the policy learns anything."""

from collections.abc import Sequence

import torch
from peft import PeftModel
from torch import Tensor, nn

from rl.models.tokenization import pad_right
from rl.routing.routers import KMeansRouter, Router, task_labels

BATCH = 64
"""Prompts a step."""


def fit(
    router: Router, policy: PeftModel, prompts: Sequence[Sequence[int]], tasks: Sequence[str], *, seed: int
) -> None:
    """Teach a router that can be taught: by the prompts' tasks, or by the prompts alone (`kmeans`).

    The same prompts, seed and base give the same router on every rank. Raises ValueError for a task without an adapter.
    """
    draw = torch.Generator().manual_seed(seed)
    if isinstance(router, KMeansRouter):
        _fit_centres(router, torch.cat([seen[0] for seen in _seen(router, policy, prompts)]), draw)
    elif any(True for _ in router.parameters()) and router.settings.frozen:
        _fit_labels(router, _seen(router, policy, prompts, size=BATCH), task_labels(router.settings, tasks), draw)
        router.requires_grad_(False)


def _seen(
    router: Router, policy: PeftModel, prompts: Sequence[Sequence[int]], size: int = BATCH
) -> list[tuple[Tensor, ...]]:
    return [router.see(policy, *pad_right(prompts[first : first + size])) for first in range(0, len(prompts), size)]


def _fit_labels(router: Router, seen: list[tuple[Tensor, ...]], labels: Tensor, draw: torch.Generator) -> None:
    """Cross-entropy, batch by batch in a shuffled order."""
    parts = labels.split(BATCH)
    optimizer = torch.optim.Adam(router.parameters(), lr=router.settings.fit_learning_rate)
    for step in range(router.settings.fit_steps):
        place = int(torch.randint(len(seen), (), generator=draw)) if step >= len(seen) else step
        loss = nn.functional.cross_entropy(router.router_logits(*seen[place]), parts[place])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@torch.no_grad()
def _fit_centres(router: KMeansRouter, features: Tensor, draw: torch.Generator) -> None:
    """Spherical k-means by an exponential average; each centre takes at most its share of a batch.

    The capacity is expert choice: no centre starves, and no balancing loss is needed.
    """
    settings = router.settings
    router.middle.copy_(features.mean(dim=0))
    directions = nn.functional.normalize(features - router.middle, dim=-1)
    router.centres.copy_(_far_apart(directions, len(router.centres), draw))
    for _ in range(settings.fit_steps):
        batch = directions[torch.randperm(len(directions), generator=draw)[:BATCH]]
        share = -(-len(batch) * settings.capacity // len(router.centres))
        owners = assigned(batch @ router.centres.T, int(share))
        for centre in range(len(router.centres)):
            if (mine := batch[owners == centre]).numel():
                moved = settings.ema * router.centres[centre] + (1 - settings.ema) * mine.mean(dim=0)
                router.centres[centre] = nn.functional.normalize(moved, dim=-1)


def _far_apart(directions: Tensor, number: int, draw: torch.Generator) -> Tensor:
    """A drawn first centre, then each time the prompt that is least like those before."""
    chosen = [int(torch.randint(len(directions), (), generator=draw))]
    while len(chosen) < number:
        likeness = (directions @ directions[chosen].T).max(dim=1).values
        chosen.append(int(likeness.argmin()))
    return directions[chosen]


def assigned(likeness: Tensor, share: int) -> Tensor:
    """(P, N) -> each prompt's centre, the likest pairs first, at most `share` prompts a centre; -1 for the rest."""
    owners = torch.full((len(likeness),), -1)
    room = [share] * likeness.shape[1]
    for place in likeness.flatten().argsort(descending=True, stable=True).tolist():
        prompt, centre = divmod(place, likeness.shape[1])
        if owners[prompt] < 0 and room[centre]:
            owners[prompt], room[centre] = centre, room[centre] - 1
    return owners
