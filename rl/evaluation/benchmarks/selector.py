"""Selector: a classifier of prompts that decides whether a model should think before it answers (arXiv 2505.11423)."""

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor

from rl.common.atomic import write_json
from rl.common.errors import UserError
from rl.common.intervals import bootstrap_interval
from rl.evaluation.benchmarks.run import paired_answers, read_answers

WORD = re.compile(r"\w+")
PENALTIES = (1.0, 0.1, 0.01)
"""Of the squared weights, per example; the one with the best validation accuracy is taken, the first of equals."""
FORMAT = "heed selector 2"

# Axes: N prompts, V words and pairs of words.


@dataclass(frozen=True, kw_only=True, slots=True)
class Selector:
    """Logistic regression on the TF-IDF of a prompt's words and pairs of words.

    Example:
        Selector(weights={"sentences": 0.4}, inverse_frequencies={"sentences": 2.1}, bias=-0.2)
    """

    weights: Mapping[str, float]
    inverse_frequencies: Mapping[str, float]
    bias: float
    seen: frozenset[str] = frozenset()
    """Digests of the prompts by whose scores it was trained and chosen; on them its decisions prove nothing."""

    def probability(self, prompt: str) -> float:
        """Return how likely thinking is to score higher."""
        features = tf_idf(prompt, self.inverse_frequencies)
        return 1.0 / (1.0 + math.exp(-self.bias - sum(self.weights[word] * value for word, value in features.items())))

    def decide(self, prompts: Sequence[str]) -> list[bool]:
        """Return whether to think about each request."""
        return [self.probability(prompt) > 0.5 for prompt in prompts]


def prompt_digest(prompt: str) -> str:
    """Return what a selector remembers of a prompt."""
    return hashlib.sha256(prompt.encode()).hexdigest()[:16]


def words_of(prompt: str) -> list[str]:
    """Return a prompt's words in lower case, and its pairs of neighbouring words."""
    words = WORD.findall(prompt.lower())
    return words + [" ".join(pair) for pair in pairwise(words)]


def inverse_frequencies(prompts: Sequence[str], *, least: int = 2) -> dict[str, float]:
    """Return 1 + ln((1 + N) / (1 + n)) of each word that stands in n of N prompts, `least` of them or more."""
    counts = Counter(word for prompt in prompts for word in set(words_of(prompt)))
    return {
        word: 1.0 + math.log((1 + len(prompts)) / (1 + count))
        for word, count in sorted(counts.items())
        if count >= least
    }


def tf_idf(prompt: str, frequencies: Mapping[str, float]) -> dict[str, float]:
    """Return (1 + ln count) x inverse frequency of each known word of the prompt, scaled to length 1."""
    counts = Counter(word for word in words_of(prompt) if word in frequencies)
    values = {word: (1.0 + math.log(count)) * frequencies[word] for word, count in counts.items()}
    length = math.sqrt(sum(value * value for value in values.values()))
    return {word: value / length for word, value in values.items()}


def train(prompts: Sequence[str], labels: Sequence[bool], *, penalty: float) -> Selector:
    """Fit the weights: mean log loss, both labels weighing alike, plus `penalty` / N times half their squares."""
    frequencies = inverse_frequencies(prompts)
    features_NV, targets_N = _matrix(prompts, frequencies), torch.tensor(labels, dtype=torch.float64)
    share = targets_N.mean()
    balance_N = torch.where(targets_N > 0, 0.5 / share.clamp(min=1e-9), 0.5 / (1.0 - share).clamp(min=1e-9))
    weights_V = torch.zeros(len(frequencies), dtype=torch.float64, requires_grad=True)
    bias = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights_V, bias], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        logits_N = features_NV @ weights_V + bias
        losses_N = torch.nn.functional.binary_cross_entropy_with_logits(logits_N, targets_N, reduction="none")
        total = (losses_N * balance_N).mean() + penalty / (2 * len(prompts)) * weights_V.square().sum()
        total.backward()
        return total

    optimizer.step(loss)  # pyright: ignore[reportArgumentType]
    values = dict(zip(frequencies, weights_V.tolist(), strict=True))
    return Selector(weights=values, inverse_frequencies=frequencies, bias=bias.item())


def _matrix(prompts: Sequence[str], frequencies: Mapping[str, float]) -> Tensor:
    places = {word: index for index, word in enumerate(frequencies)}
    matrix_NV = torch.zeros(len(prompts), len(frequencies), dtype=torch.float64)
    for row, prompt in enumerate(prompts):
        for word, value in tf_idf(prompt, frequencies).items():
            matrix_NV[row, places[word]] = value
    return matrix_NV


def accuracy(selector: Selector, prompts: Sequence[str], labels: Sequence[bool]) -> float:
    """Return the share of prompts that are decided as their label says."""
    return sum(one == label for one, label in zip(selector.decide(prompts), labels, strict=True)) / len(labels)


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One prompt and what a model scores on it without and with thinking first.

    Example:
        Case(prompt="Describe the sea without commas.", direct=1.0, thinking=0.5)
    """

    prompt: str
    direct: float
    thinking: float

    @property
    def label(self) -> bool:
        """Whether thinking scores higher."""
        return self.thinking > self.direct


def selector_command(
    direct: Path, thinking: Path, output: Path, *, score: str | None = None, seed: int = 0
) -> dict[str, Any]:
    """Run `heed train-selector`: train on half of two runs' prompts, measure on the other, write the selector.

    Raises UserError for runs of different prompts, an unknown score, and where thinking never or always scores higher.
    """
    cases = paired_cases(read_answers(direct), read_answers(thinking), score)
    Random(f"selector-{seed}").shuffle(cases)
    training, evaluation = cases[: len(cases) // 2], cases[len(cases) // 2 :]
    num_validation = max(1, len(training) // 10)
    validation, training = training[:num_validation], training[num_validation:]
    if len({case.label for case in training}) < 2:
        raise UserError(
            f"thinking scores higher on {sum(case.label for case in training)} of {len(training)} training prompts, so "
            "there is nothing to tell apart; take more prompts, or another --score"
        )
    selector, penalty = _best(training, validation)
    selector = replace(selector, seen=frozenset(prompt_digest(case.prompt) for case in (*training, *validation)))
    result = {
        "file": str(output),
        "train": len(training),
        "validation": len(validation),
        "evaluation": len(evaluation),
        "label_share": sum(case.label for case in cases) / len(cases),
        "penalty": penalty,
        "validation_accuracy": _accuracy(selector, validation),
        "accuracy": _accuracy(selector, evaluation),
        "majority_accuracy": max(_share(evaluation), 1.0 - _share(evaluation)),
        **evaluation_scores(selector, evaluation),
    }
    write_json(output, {"format": FORMAT, **asdict(selector), "seen": sorted(selector.seen), "trained_on": result})
    return result


def paired_cases(
    direct: Sequence[Mapping[str, Any]], thinking: Sequence[Mapping[str, Any]], score: str | None
) -> list[Case]:
    """Return the prompts of two runs with both their scores. Raises UserError when they are of different prompts."""
    return [
        Case(prompt=plain["prompt"], direct=score_of(plain, score), thinking=score_of(thoughtful, score))
        for plain, thoughtful in paired_answers(direct, thinking)
    ]


def score_of(record: Mapping[str, Any], score: str | None) -> float:
    """Return a score by name, or the share of the constraints kept loosely, or without constraints the first score."""
    if score is None and record["constraints"]:
        kept = [one["strict"] if one["loose"] is None else one["loose"] for one in record["constraints"]]
        return sum(kept) / len(kept)
    name = score or next(iter(record["scores"]))
    if name not in record["scores"]:
        raise UserError(f"--score {name}: it must be one of {', '.join(record['scores'])}")
    return record["scores"][name]


def _best(training: Sequence[Case], validation: Sequence[Case]) -> tuple[Selector, float]:
    prompts, labels = [case.prompt for case in training], [case.label for case in training]
    fitted = [(train(prompts, labels, penalty=penalty), penalty) for penalty in PENALTIES]
    return max(fitted, key=lambda pair: _accuracy(pair[0], validation))


def evaluation_scores(selector: Selector, cases: Sequence[Case]) -> dict[str, Any]:
    """Return the mean scores of always thinking, of never and of the selector, and its gain over both, paired."""
    chosen = [
        case.thinking if thinks else case.direct
        for case, thinks in zip(cases, selector.decide([case.prompt for case in cases]), strict=True)
    ]
    direct, thinking = [case.direct for case in cases], [case.thinking for case in cases]
    gains = {"never": direct, "always": thinking}
    return {
        "scores": {
            "never": sum(direct) / len(cases),
            "always": sum(thinking) / len(cases),
            "selector": sum(chosen) / len(cases),
            "best_possible": sum(map(max, direct, thinking)) / len(cases),
        },
        "gain_over": {
            name: asdict(bootstrap_interval([one - other for one, other in zip(chosen, others, strict=True)]))
            for name, others in gains.items()
        },
    }


def load_selector(path: Path) -> Selector:
    """Read a selector. Raises UserError for a file that is none."""
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"--selector {path} cannot be read ({error}); heed train-selector writes one") from error
    if not isinstance(saved, dict) or saved.get("format") != FORMAT:
        raise UserError(f"--selector {path} is no selector; heed train-selector writes one")
    return Selector(
        weights=saved["weights"],
        inverse_frequencies=saved["inverse_frequencies"],
        bias=float(saved["bias"]),
        seen=frozenset(saved["seen"]),
    )


def show_selector(result: dict[str, Any]) -> None:
    """Print how well the selector decides, and what that is worth."""
    print(
        f"accuracy {result['accuracy']:.3f} on {result['evaluation']} prompts (the more frequent label: "
        f"{result['majority_accuracy']:.3f}; validation: {result['validation_accuracy']:.3f})"
    )
    print("mean score: " + ", ".join(f"{name} {value:.3f}" for name, value in result["scores"].items()))
    for name, gain in result["gain_over"].items():
        print(f"gain over {name} thinking {gain['mean']:+.3f}, 95 % interval [{gain['low']:+.3f}, {gain['high']:+.3f}]")
    print(f"Selector: {result['file']}")


def _accuracy(selector: Selector, cases: Sequence[Case]) -> float:
    return accuracy(selector, [case.prompt for case in cases], [case.label for case in cases])


def _share(cases: Sequence[Case]) -> float:
    return sum(case.label for case in cases) / len(cases)
