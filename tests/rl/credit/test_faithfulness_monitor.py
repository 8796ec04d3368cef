"""Faithfulness monitor: collects in due steps, checks the rule on what it collected, and reports in one line."""

import torch

from rl.common.intervals import Interval
from rl.config.credit import FaithfulnessConfig
from rl.credit.faithfulness import FaithfulnessResult, check
from rl.credit.faithfulness_monitor import FaithfulnessMonitor, result_line
from tests.rl.credit.test_faithfulness import CAUSE, OneCause, completions


def make_monitor(reported: list[str], **settings) -> FaithfulnessMonitor:
    config = FaithfulnessConfig(every=3, span=1, **settings)
    return FaithfulnessMonitor(config, wrap_policy=lambda policy: OneCause(), report=reported.append, rule="coupled")


def collect(monitor: FaithfulnessMonitor, heavy: int, *, count: int) -> None:
    rows = completions(heavy, count=count)
    prompts = torch.tensor([[0, *row.prompt_ids] for row in rows])
    ids = torch.tensor([[*row.completion_ids, 0] for row in rows])
    mask = torch.tensor([[1] * len(row.completion_ids) + [0] for row in rows])
    weights = torch.tensor([[*row.weights, 0.0] for row in rows])
    monitor.collect(prompts, prompts != 0, ids, mask, weights)


def test_due__every_third_step():
    assert [step for step in range(9) if make_monitor([]).due(step)] == [2, 5, 8]


def test_due__never_while_the_check_is_off():
    monitor = FaithfulnessMonitor(
        FaithfulnessConfig(), wrap_policy=lambda policy: OneCause(), report=print, rule="coupled"
    )
    assert not any(monitor.due(step) for step in range(9))


def test_evaluate__checks_what_was_collected_without_padding():
    reported: list[str] = []
    monitor = make_monitor(reported)
    collect(monitor, CAUSE, count=6)
    collect(monitor, CAUSE, count=6)
    result = monitor.evaluate(None, step=2)
    assert result.faithful and result.num_completions == 12
    assert reported == ["step 3: is coupled faithful? logprob effect +5.000 [+5.000, +5.000] over 12 completions: kept"]


def test_collect__no_more_than_the_setting_and_nothing_twice():
    monitor = make_monitor([], completions=4)
    collect(monitor, CAUSE, count=6)
    assert monitor.evaluate(None, step=2).num_completions == 4
    assert monitor.evaluate(None, step=5).num_completions == 0


def test_result_line__a_rule_that_fails_is_uniform_until_the_next_check():
    result = FaithfulnessResult(
        logprob=Interval(mean=0.1, low=-0.2, high=0.4), verdict=None, num_completions=7, faithful=False
    )
    assert result_line("coupled", result, FaithfulnessConfig(every=20), step=40) == (
        "step 40: is coupled faithful? logprob effect +0.100 [-0.200, +0.400] over 7 completions: uniform until step 60"
    )


def test_result_line__names_completions_that_are_too_short():
    result = check(OneCause(), [], FaithfulnessConfig(every=20), seed=0)
    assert "no completion was long enough" in result_line("coupled", result, FaithfulnessConfig(every=20), step=20)
