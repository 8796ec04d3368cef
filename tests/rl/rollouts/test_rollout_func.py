"""Rollouts: a step's prompts in, its completions out, determined by the step alone."""

from types import SimpleNamespace

import pytest
from torch.utils.data import SequentialSampler

from rl.common.errors import RunFailure
from rl.models.load import load_model, load_tokenizer
from rl.rollouts.data_order import REFILL, DataOrder
from rl.rollouts.engine_hf import TransformersEngine
from rl.rollouts.generation import GenerationConfig
from rl.rollouts.interfaces import DroppedRequest
from rl.rollouts.ledger import Ledger
from rl.rollouts.local import LocalSampler
from rl.rollouts.rollout_func import Rollouts, first_position, generation_batch
from rl.rollouts.types import RolloutRequest, Sample

PROMPTS = ["Write about the rain.", "Explain why the sky is blue.", "Describe a garden."]


class Recorder:
    """An engine that answers with a group's position, and records its requests."""

    def __init__(self):
        self.requests: list[RolloutRequest] = []

    def sample(self, request: RolloutRequest) -> list[Sample]:
        self.requests.append(request)
        rows = [(prompt, request.position + group) for group, prompt in enumerate(request.prompts)]
        return [
            Sample(
                prompt_ids=prompt,
                completion_ids=(position,),
                logprobs=(-0.5,),
                finish_reason="stop",
                version=request.version,
            )
            for prompt, position in rows
            for _ in range(request.num_generations)
        ]


def make_trainer(
    *,
    micro_step: int = 0,
    global_step: int = 0,
    steps_per_generation: int = 1,
    num_iterations: int = 1,
    rank: int = 0,
    ranks: int = 1,
    max_steps: int = 10,
) -> SimpleNamespace:
    """The attributes of a trainer that rollouts read."""
    return SimpleNamespace(
        _step=micro_step,
        num_iterations=num_iterations,
        args=SimpleNamespace(
            steps_per_generation=steps_per_generation, gradient_accumulation_steps=1, max_steps=max_steps
        ),
        state=SimpleNamespace(global_step=global_step),
        accelerator=SimpleNamespace(num_processes=ranks, process_index=rank),
        _log_metric=lambda name, value: None,
    )


def make_rollouts(engine, *, groups_per_unit: int | None = None) -> Rollouts:
    return Rollouts(
        LocalSampler(engine), load_tokenizer("tiny"), num_generations=2, groups_per_unit=groups_per_unit, seed=5
    )


def repeated(prompts: list[str]) -> list[str]:
    return [prompt for prompt in prompts for _ in range(2)]


def test_rollouts__return_completions_in_the_order_of_the_prompts():
    engine = Recorder()
    out = make_rollouts(engine, groups_per_unit=2)(repeated(PROMPTS), make_trainer(global_step=7))
    tokenizer = load_tokenizer("tiny")
    assert [tokenizer.decode(ids) for ids in out["prompt_ids"]] == repeated(PROMPTS)
    assert out["completion_ids"] == [[0], [0], [1], [1], [2], [2]]
    assert out["logprobs"] == [[-0.5]] * 6
    assert [(request.position, request.version, request.seed) for request in engine.requests] == [(0, 7, 5), (2, 7, 5)]


@pytest.mark.parametrize(
    ("micro_step", "steps_per_generation", "num_iterations", "expected"),
    [
        (0, 1, 1, 0),
        (3, 1, 1, 9),  # three generation batches of three groups before it
        (8, 4, 1, 6),  # one batch for each four micro-steps
        (8, 4, 2, 3),  # ... which are visited twice
        (9, 4, 2, 3),  # inside a buffer, as after a resume, the batch is still the same
    ],
)
def test_first_position__counts_groups_of_earlier_batches(micro_step, steps_per_generation, num_iterations, expected):
    trainer = make_trainer(
        micro_step=micro_step, steps_per_generation=steps_per_generation, num_iterations=num_iterations
    )
    assert first_position(trainer, 3, generation_batch(trainer)) == expected


def test_first_position__differs_between_ranks_and_batches():
    firsts = [first_position(make_trainer(rank=rank, ranks=2), 3, batch) for batch in range(3) for rank in range(2)]
    assert firsts == [0, 3, 6, 9, 12, 15]


def test_requests__tokens_do_not_depend_on_other_requests():
    generation = GenerationConfig(temperature=1.0, max_completion_length=6)
    engine = TransformersEngine(load_model("tiny"), load_tokenizer("tiny"), generation)
    rollouts = make_rollouts(engine, groups_per_unit=1)
    together = rollouts(repeated(PROMPTS), make_trainer(micro_step=0))["completion_ids"]
    # the third group alone, at the same position in the data order
    alone = rollouts(repeated(PROMPTS[2:]), make_trainer(micro_step=2))["completion_ids"]
    assert alone == together[4:]
    elsewhere = rollouts(repeated(PROMPTS[2:]), make_trainer(micro_step=1))["completion_ids"]
    assert elsewhere != alone


class Poisoned(LocalSampler):
    """Drops the requests at some positions."""

    def __init__(self, engine, positions: set[int]):
        super().__init__(engine)
        self.positions = positions

    def collect(self, requests):
        return [
            DroppedRequest(reason="failed 3 times") if request.position in self.positions else self._sample(request)
            for request in requests
        ]


def poisoned_rollouts(positions: set[int], *, max_dropped: float) -> Rollouts:
    return Rollouts(
        Poisoned(Recorder(), positions),
        load_tokenizer("tiny"),
        num_generations=2,
        groups_per_unit=1,
        seed=5,
        max_dropped=max_dropped,
    )


def test_dropped_requests__are_replaced_by_rows_that_train_nothing():
    rollouts = poisoned_rollouts({1}, max_dropped=0.5)
    out = rollouts(repeated(PROMPTS), make_trainer())
    eos = load_tokenizer("tiny").eos_token_id
    # the rows of a group are equal, so their advantages are 0, and none of their tokens is trained
    assert out["completion_ids"] == [[0], [0], [eos], [eos], [2], [2]]
    assert out["env_mask"] == [[1], [1], [0], [0], [1], [1]]
    assert rollouts.positions == [0, 0, -1, -1, 2, 2]


def test_env_mask__is_absent_without_a_dropped_group():
    assert "env_mask" not in poisoned_rollouts(set(), max_dropped=0.0)(repeated(PROMPTS), make_trainer())


def test_max_dropped__stops_the_run_above_it():
    # 10 batches of 3 groups are planned: a tenth of them is three
    rollouts = poisoned_rollouts({0, 1, 2, 3}, max_dropped=0.1)
    rollouts(repeated(PROMPTS), make_trainer(max_steps=10))
    with pytest.raises(RunFailure, match=r"group 3 .*: failed 3 times; 4 groups are dropped, .*=0.1 .*allows 3"):
        rollouts(repeated(PROMPTS), make_trainer(max_steps=10, micro_step=1))


class Order:
    """A data order of two groups a batch, whose rows are numbered through: 0 and 1, then 2 and 3, ..."""

    def look_ahead(self, batch: int) -> None:
        """No curriculum."""

    def rows(self, batch: int) -> list[dict[str, str]]:
        return [{"prompt": f"Prompt {number}.", "problem_id": str(number)} for number in (2 * batch, 2 * batch + 1)]


@pytest.mark.parametrize("max_staleness", [0, 2])
@pytest.mark.parametrize("lost", [set(), {REFILL + 1}])
def test_refill__replaces_groups_without_signal_and_balances_the_ledger(tmp_path, max_staleness, lost):
    ledger = Ledger(tmp_path / "ledger.sqlite", num_generations=2)
    rollouts = Rollouts(
        Poisoned(Recorder(), lost),
        load_tokenizer("tiny"),
        num_generations=2,
        groups_per_unit=None,
        seed=5,
        max_staleness=max_staleness,
        max_dropped=1.0,
        refill=1,
        ledger=ledger,
    )
    rollouts.order = Order()  # pyright: ignore[reportAttributeAccessIssue]
    rewarded = []

    def group_rewards(indices, rows, samples):
        rewarded.extend(row["problem_id"] for row in rows)
        return [[1.0, 1.0 if row["problem_id"] in ("1", "3") else 0.0] for row in rows]

    rollouts.group_rewards = group_rewards
    rollouts(repeated(["Prompt 0.", "Prompt 1."]), make_trainer(global_step=0))
    # problem 1 has no signal; problem 3, of the next batch, takes its place, and is the last that is tried
    assert [row["problem_id"] for row in rollouts.rows] == ["0", "3"]
    assert rollouts.positions == ([0, 0, -1, -1] if lost else [0, 0, REFILL + 1, REFILL + 1])
    assert rewarded == ["0", "1"] + ([] if lost else ["3"])
    in_buffer = {0: 2} if lost else {0: 2, REFILL + 1: 2}
    ahead = {position: 2 for position in (2, 3, 4, 5)} if max_staleness else {}
    assert rollouts.in_flight() == ahead
    totals = ledger.verify({**in_buffer, **ahead})
    assert totals.dropped == (4 if lost else 2)
    assert ledger.problem_ids([1, REFILL + 1]) == ["1", "3"]
    assert ledger.mean_rewards(before=2) == [("1", 1.0)]  # what was replaced has a reward to be remembered, too


def test_data_order__a_group_in_anothers_place_has_the_row_of_a_later_batch():
    order = DataOrder(
        lambda: SequentialSampler(range(24)),
        [{"number": number} for number in range(12) for _ in range(2)],
        groups=2,
        num_generations=2,
        repeats=1,
    )
    # group 3 is the second of batch 1, whose rows are those of problems 2 and 3
    assert [order.row(REFILL * attempt + 3)["number"] for attempt in range(3)] == [3, 5, 7]
