"""Evaluation of any model, or of a run's adapter and its base model, on held-out problems."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from peft import PeftModel
from rich.console import Console
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from data.problems import Problem
from data.reading import read_problems
from data.trip_wires import trip_wires
from rewards.verifiers import verifying
from rl.common.atomic import write_json
from rl.common.errors import UserError
from rl.common.export_folder import check_apart
from rl.config.load import load_run_config
from rl.config.model import ModelConfig
from rl.config.root import Config
from rl.datasets import load_training
from rl.evaluation.console import show_answers, show_gain, show_rates
from rl.evaluation.evaluate import Evaluation, evaluate, mark_hacked, paired_gain
from rl.evaluation.summary import comparison
from rl.evaluation.target import base_of_run, is_run, with_adapter
from rl.models.context import check_messages, check_prompt_lengths
from rl.models.load import configured_tokenizer
from rl.rollouts.answering import Answer, answer_here
from rl.rollouts.engine_hf import local_engine
from rl.rollouts.generation import generation_config
from rl.runs.inputs import check_evaluated
from rl.scoring.custom_verifiers import custom_verifiers
from rl.scoring.reward_functions import custom_rewards


def evaluate_policy(
    config: Config,
    policy: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    problems: Sequence[Problem],
    answer: Answer | None = None,
) -> Evaluation:
    """Evaluate a policy on the problems, sampled as `config.evaluation` says. All ranks must call it.

    With `answer` a run's rollout workers sample; else the policy itself does.
    """
    if answer is None:
        generation = generation_config(config.trainer, config.rollouts, temperature=config.evaluation.temperature)
        answer = answer_here(local_engine(policy, tokenizer, generation, config.routing))
    answered = partial(_answered, config, policy, tokenizer, answer=answer)
    evaluation = answered(problems)
    if not config.evaluation.trip_wires:
        return evaluation
    traps = trip_wires()
    return replace(evaluation, trip_wires=mark_hacked(answered(traps), traps))


def _answered(
    config: Config,
    policy: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    problems: Sequence[Problem],
    *,
    answer: Answer,
) -> Evaluation:
    settings = config.evaluation
    check_messages(policy, tokenizer, problems)
    check_prompt_lengths(policy, tokenizer, problems, data="held-out problems")
    return evaluate(
        answer,
        tokenizer,
        problems,
        samples=settings.samples,
        batch_size=settings.batch_size,
        seed=config.trainer.seed,
        rewards=custom_rewards(config.rewards) if settings.rewards else (),
        over_ranks=config.distributed.zero < 3,  # with sharded weights all ranks compute every forward pass together
    )


def evaluate_command(
    target: str,
    data: str | None,
    output: Path | None = None,
    *,
    with_trip_wires: bool = False,
    calibration: Path | None = None,
) -> dict[str, Any]:
    """Run `heed eval`: evaluate a run (base and adapter) or a model, print the result and write it to `output`.

    Trip wires are answered if asked for here or in the run's settings; a `calibration` takes the place of theirs.
    Without `data` a run is evaluated on its own held-out problems. The result says by which semantics it was verified:
    a run's own problems by the run's, a file by `eval`. Raises UserError when a model comes without `data`, or the run
    has no adapter, or its data or base model has changed.
    """
    of_run = is_run(target)
    if not of_run and data is None:
        raise UserError(f"{target} is no run folder, so it has no held-out problems; name some with --data")
    config = load_run_config(Path(target)) if of_run else Config(model=ModelConfig(name=target))
    if with_trip_wires:
        config = config.model_copy(update={"evaluation": config.evaluation.model_copy(update={"trip_wires": True})})
    if calibration is not None:
        config = config.model_copy(update={"model": config.model.model_copy(update={"calibration": calibration})})
    if output is not None:
        check_apart(output, data)
    if of_run:
        check_evaluated(config, Path(target), own_data=data is None)
    # A file is a benchmark, whose figures are compared with others'; held-out problems are judged as in training.
    semantics = config.rewards.semantics if data is None else "eval"
    with custom_verifiers(config.rewards), verifying(semantics):
        problems = load_training(config).held_out if data is None else tuple(read_problems(data))
        result = _evaluate_run(config, Path(target), problems) if of_run else _evaluate_model(config, problems)
    result |= {"semantics": semantics}
    Console().print(f"verified by the semantics {semantics!r}")
    if output is not None:
        write_json(output, result)
    return result


def _evaluate_run(config: Config, run: Path, problems: Sequence[Problem]) -> dict[str, Any]:
    model, tokenizer = _load(config, run)
    before = evaluate_policy(config, model, tokenizer, problems)
    after = evaluate_policy(config, with_adapter(model, run)[0], tokenizer, problems)
    gain = paired_gain(before, after)
    console = Console()
    show_gain(console, before, after, gain)
    show_answers(console, before, after)
    return comparison(before, after, gain)


def _evaluate_model(config: Config, problems: Sequence[Problem]) -> dict[str, Any]:
    evaluation = evaluate_policy(config, *_load(config), problems)
    show_rates(Console(), evaluation)
    return {"model": evaluation.summary()}


def _load(config: Config, run: Path | None = None) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    return base_of_run(config.model, run), configured_tokenizer(config.model)
