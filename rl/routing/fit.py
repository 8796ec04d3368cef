"""Router fitting: a router is trained on the training prompts before the policy is."""

from collections.abc import Sequence

import torch
from peft import PeftModel
from torch import Tensor, nn

from rl.models.tokenization import pad_right
from rl.routing.routers import KMeansRouter, Router, task_labels

BATCH = 64
"""Prompts of one fitting step."""


def fit(
    router: Router, policy: PeftModel, prompts: Sequence[Sequence[int]], tasks: Sequence[str], *, seed: int
) -> None:
    """Fit a router that has anything to fit: to the prompts' tasks, or to the prompts alone (`kmeans`).

    The same prompts, seed and base give the same router on every rank. Raises UserError for a task without an adapter.
    """
    generator = torch.Generator().manual_seed(seed)
    if isinstance(router, KMeansRouter):
        _fit_centres(
            router, torch.cat([features[0] for features in _prompt_features(router, policy, prompts)]), generator
        )
    elif any(True for _ in router.parameters()) and router.settings.frozen:
        _fit_labels(
            router,
            _prompt_features(router, policy, prompts, size=BATCH),
            task_labels(router.settings, tasks),
            generator,
        )
        router.requires_grad_(False)


def _prompt_features(
    router: Router, policy: PeftModel, prompts: Sequence[Sequence[int]], size: int = BATCH
) -> list[tuple[Tensor, ...]]:
    """Return the features of each batch, computed on the policy's device and kept in the host's memory."""
    batches = [pad_right(prompts[first : first + size]) for first in range(0, len(prompts), size)]
    device = policy.device
    return [
        tuple(feature.cpu() for feature in router.prompt_features(policy, ids.to(device), mask.to(device)))
        for ids, mask in batches
    ]


def _fit_labels(router: Router, batches: list[tuple[Tensor, ...]], labels: Tensor, generator: torch.Generator) -> None:
    """Minimise the cross-entropy to the labels: each batch once in order, then batches drawn at random."""
    parts, device = labels.split(BATCH), next(router.parameters()).device
    optimizer = torch.optim.Adam(router.parameters(), lr=router.settings.fit_learning_rate)
    for step in range(router.settings.fit_steps):
        index = int(torch.randint(len(batches), (), generator=generator)) if step >= len(batches) else step
        features = (feature.to(device) for feature in batches[index])
        loss = nn.functional.cross_entropy(router.router_logits(*features), parts[index].to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@torch.no_grad()
def _fit_centres(router: KMeansRouter, features: Tensor, generator: torch.Generator) -> None:
    """Fit the centres by spherical k-means with an exponential average and a capacity for each centre.

    The capacity works as in expert-choice routing: every centre gets prompts, and no balancing loss is needed.
    """
    settings = router.settings
    middle = features.mean(dim=0)
    directions = nn.functional.normalize(features - middle, dim=-1)
    centres = _farthest_points(directions, len(router.centres), generator)
    for _ in range(settings.fit_steps):
        batch = directions[torch.randperm(len(directions), generator=generator)[:BATCH]]
        share = -(-len(batch) * settings.capacity // len(centres))
        owners = assign_with_capacity(batch @ centres.T, int(share))
        for centre in range(len(centres)):
            if (members := batch[owners == centre]).numel():
                moved = settings.ema * centres[centre] + (1 - settings.ema) * members.mean(dim=0)
                centres[centre] = nn.functional.normalize(moved, dim=-1)
    router.middle.copy_(middle)
    router.centres.copy_(centres)


def _farthest_points(directions: Tensor, number: int, generator: torch.Generator) -> Tensor:
    """Return initial centres: a random prompt, then each time the one least similar to those chosen."""
    chosen = [int(torch.randint(len(directions), (), generator=generator))]
    while len(chosen) < number:
        similarity = (directions @ directions[chosen].T).max(dim=1).values
        chosen.append(int(similarity.argmin()))
    return directions[chosen]


def assign_with_capacity(similarity: Tensor, share: int) -> Tensor:
    """Assign prompts to centres by similarity (P, N), best pairs first, at most `share` a centre; -1 for the rest."""
    owners = torch.full((len(similarity),), -1)
    free = [share] * similarity.shape[1]
    for index in similarity.flatten().argsort(descending=True, stable=True).tolist():
        prompt, centre = divmod(index, similarity.shape[1])
        if owners[prompt] < 0 and free[centre]:
            owners[prompt], free[centre] = centre, free[centre] - 1
    return owners
