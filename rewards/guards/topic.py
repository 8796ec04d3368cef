"""Guard `on_topic`: detects an answer that is not about what was requested."""

from rewards.topic import key_stems, request_stems


def on_topic(completion: str, *, request: str, share: float = 0.34) -> float:
    """Return 1 once `share` of the request's key words (at least one) occur, stemmed; proportionally less below.

    A request without key words requires nothing: the value is 1.
    """
    request_words = request_stems(request)
    needed = max(1, round(share * len(request_words)))
    return min(1.0, len(request_words & key_stems(completion)) / needed) if request_words else 1.0
