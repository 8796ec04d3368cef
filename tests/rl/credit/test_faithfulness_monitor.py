"""The watch: gathers in due steps, judges by what it gathered, and says so in one line."""

import torch

from rl.common.intervals import Interval
from rl.config.credit import FaithfulnessConfig
from rl.credit.faithfulness import FaithfulnessResult, check
from rl.credit.faithfulness_monitor import FaithfulnessMonitor, verdict_line
from tests.rl.credit.test_faithfulness import CAUSE, OneCause, completions


def make_watch(said: list[str], **settings) -> FaithfulnessMonitor:
    return FaithfulnessMonitor(
        FaithfulnessConfig(every=3, span=1, **settings), ask=lambda policy: OneCause(), say=said.append, rule="coupled"
    )


def collect(faithfulness_monitor: FaithfulnessMonitor, heavy: int, *, count: int) -> None:
    rows = completions(heavy, count=count)
    prompts = torch.tensor([[0, *row.prompt_ids] for row in rows])
    ids = torch.tensor([[*row.completion_ids, 0] for row in rows])
    mask = torch.tensor([[1] * len(row.completion_ids) + [0] for row in rows])
    weights = torch.tensor([[*row.weights, 0.0] for row in rows])
    faithfulness_monitor.collect(prompts, prompts != 0, ids, mask, weights)


def test_every_third_step_is_due():
    assert [step for step in range(9) if make_watch([]).due(step)] == [2, 5, 8]


def test_a_watch_that_is_off_is_never_due():
    faithfulness_monitor = FaithfulnessMonitor(
        FaithfulnessConfig(), ask=lambda policy: OneCause(), say=print, rule="coupled"
    )
    assert not any(faithfulness_monitor.due(step) for step in range(9))


def test_what_was_gathered_is_judged_without_its_padding():
    said: list[str] = []
    faithfulness_monitor = make_watch(said)
    collect(faithfulness_monitor, CAUSE, count=6)
    collect(faithfulness_monitor, CAUSE, count=6)
    finding = faithfulness_monitor.evaluate(None, step=2)
    assert finding.faithful and finding.num_completions == 12
    assert said == ["step 3: is coupled faithful? logprob effect +5.000 [+5.000, +5.000] over 12 completions: kept"]


def test_no_more_is_gathered_than_asked_for_and_nothing_twice():
    faithfulness_monitor = make_watch([], completions=4)
    collect(faithfulness_monitor, CAUSE, count=6)
    assert faithfulness_monitor.evaluate(None, step=2).num_completions == 4
    assert faithfulness_monitor.evaluate(None, step=5).num_completions == 0


def test_a_rule_that_fails_is_said_to_be_uniform_until_the_next_check():
    finding = FaithfulnessResult(
        logprob=Interval(mean=0.1, low=-0.2, high=0.4), verdict=None, num_completions=7, faithful=False
    )
    assert verdict_line("coupled", finding, FaithfulnessConfig(every=20), step=40) == (
        "step 40: is coupled faithful? logprob effect +0.100 [-0.200, +0.400] over 7 completions: uniform until step 60"
    )


def test_too_short_completions_are_said_to_be_so():
    finding = check(OneCause(), [], FaithfulnessConfig(every=20), seed=0)
    assert "no completion was long enough" in verdict_line("coupled", finding, FaithfulnessConfig(every=20), step=20)
