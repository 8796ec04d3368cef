"""Whether a text is about what was asked."""

from rewards.topic import key_stems, request_stems


def on_topic(completion: str, *, request: str, share: float = 0.34) -> float:
    """1 once `share` of the request's key words (at least one) occur, stemmed; proportionally less below.

    A request without key words asks nothing: 1.
    """
    wanted = request_stems(request)
    needed = max(1, round(share * len(wanted)))
    return min(1.0, len(wanted & key_stems(completion)) / needed) if wanted else 1.0
