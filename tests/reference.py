"""The formulas, restated as plainly as possible: loops over whole attention maps, slow and without tricks."""

import math

Map = list[list[float]]

# ---------------------------------------------------------------------------------------------- attention (2510.13554)
# A[t][s] is the attention that query t pays to key s in one head, `real` says which tokens are not padding.


def attention(query: Map, key: Map, visible: list[list[bool]], scale: float, softcap: float | None = None) -> Map:
    """A[t][s] = softmax over the visible keys s of scale * query[t] . key[s], squashed first if there is a cap."""
    maps = []
    for one_query, seen in zip(query, visible, strict=True):
        logits = [scale * sum(q * k for q, k in zip(one_query, one_key, strict=True)) for one_key in key]
        if softcap is not None:
            logits = [softcap * math.tanh(logit / softcap) for logit in logits]
        weights = [math.exp(logit) if sees else 0.0 for logit, sees in zip(logits, seen, strict=True)]
        maps.append([weight / max(sum(weights), 1e-300) for weight in weights])
    return maps


def waad(attention: Map, real: list[bool], window: int) -> list[float]:
    """WAAD_t = sum_s A[t, s] min(t-s, W)."""
    return [
        sum(attention[t][s] * min(t - s, window) for s in range(t + 1)) if real[t] else 0.0 for t in range(len(real))
    ]


def fai(attention: Map, real: list[bool], horizon: tuple[int, int]) -> list[float]:
    """FAI_s = mean of A[t, s] over real t with s + H_lo <= t <= s + H_hi; 0 if there is none."""
    length = len(real)
    readings = []
    for s in range(length):
        later = [t for t in range(s + horizon[0], min(s + horizon[1], length - 1) + 1) if real[t]]
        readings.append(sum(attention[t][s] for t in later) / len(later) if real[s] and later else 0.0)
    return readings


def row_statistics(attention: Map, real: list[bool]) -> dict[str, list[float]]:
    """Per query: expected distance, entropy, mass on the first real token; per key: mass received from real queries."""
    length, first = len(real), real.index(True)
    row = [attention[t] if real[t] else [0.0] * length for t in range(length)]
    return {
        "distance": [sum(a * (t - s) for s, a in enumerate(row[t])) for t in range(length)],
        "entropy": [-sum(a * math.log(a) for a in row[t] if a > 0.0) for t in range(length)],
        "first_mass": [row[t][first] for t in range(length)],
        "received": [sum(row[t][s] for t in range(length)) for s in range(length)],
    }


def boundary_masses(attention: Map, real: list[bool], window: int) -> tuple[list[float], list[float]]:
    """Mass that rows r > i + w pay to the w tokens up to i, and to the w tokens after it."""
    length = len(real)

    def mass(i: int, columns: range) -> float:
        rows = [r for r in range(i + window + 1, length) if real[r]]
        return sum(attention[r][s] for r in rows for s in columns if 0 <= s < length)

    before = [mass(i, range(i - window + 1, i + 1)) for i in range(length)]
    return before, [mass(i, range(i + 1, i + window + 1)) for i in range(length)]


def best_alignment_score(matrix: Map, null_cost: float, length_penalty: float) -> float:
    """The best score of every way to walk from the first to the last constraint and segment, tried one by one."""
    num_rows, num_columns = len(matrix), len(matrix[0])

    def group(rows: range, columns: range) -> float:
        cells = [matrix[i][j] for i in rows for j in columns]
        shares = [len(rows) / num_rows] * (len(columns) == 1) + [len(columns) / num_columns] * (len(rows) == 1)
        return sum(cells) / len(cells) - length_penalty * min(shares)

    def best_from(i: int, j: int) -> float:
        if (i, j) == (num_rows, num_columns):
            return 0.0
        ways = []
        if i < num_rows:
            ways.append(best_from(i + 1, j) - null_cost)
        if j < num_columns:
            ways.append(best_from(i, j + 1) - null_cost)
        if i < num_rows and j < num_columns:
            tall = [(stop, j + 1) for stop in range(i + 1, num_rows + 1)]
            wide = [(i + 1, stop) for stop in range(j + 2, num_columns + 1)]
            ways += [best_from(*end) + group(range(i, end[0]), range(j, end[1])) for end in tall + wide]
        return max(ways)

    return best_from(0, 0)


# ---------------------------------------------------------------------------------------------------- GRPO (2402.03300)
# One micro-batch: every argument is a list with one list of token values per completion, mask 1 for a real token.
Rows = list[list[float]]


def token_loss(
    policy: float, old: float, ref: float, advantage: float, *, low: float, high: float, beta: float
) -> float:
    """-min(r A, clip(r, 1 - low, 1 + high) A) + beta r k3(ref, policy), r = exp(policy - old); log-probs given.

    The k3 estimate of the KL divergence carries the ratio too, or its gradient is not that of the KL (2512.02556, 3.1).
    """
    ratio = math.exp(policy - old)
    clipped = min(max(ratio, 1 - low), 1 + high)
    divergence = math.exp(ref - policy) - (ref - policy) - 1
    return -min(ratio * advantage, clipped * advantage) + beta * ratio * divergence


def grpo_loss(
    token_losses: Rows, mask: list[list[int]], *, loss_type: str, max_length: int, window_tokens: int, accumulation: int
) -> float:
    """How each variant averages: what one micro-batch adds to the loss of an optimizer step.

    grpo: mean over completions of token means; bnpo: mean over the micro-batch's tokens; dr_grpo: sum over the longest
    possible completions (2503.20783); each a mean over `accumulation` micro-batches. dapo: sum over all `window_tokens`
    of the optimizer step (2503.14476).
    """
    sums = [sum(x * m for x, m in zip(row, real, strict=True)) for row, real in zip(token_losses, mask, strict=True)]
    counts = [sum(real) for real in mask]
    if loss_type == "dapo":
        return sum(sums) / window_tokens
    if loss_type == "grpo":
        means = [total / count for total, count in zip(sums, counts, strict=True)]
        return sum(means) / len(means) / accumulation
    if loss_type == "bnpo":
        return sum(sums) / sum(counts) / accumulation
    assert loss_type == "dr_grpo", loss_type
    return sum(sums) / (len(sums) * max_length) / accumulation
