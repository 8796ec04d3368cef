"""Build: a trainer with its policy, rollouts, credit and router, from the config."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from peft import PeftModel
from rich.console import Console
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PrinterCallback, TrainerCallback

from data.preferences import PreferencePair
from data.problems import Problem
from rl.common.distributed import shutdown_main_last
from rl.common.errors import UserError
from rl.common.plugins import copy_into_run, load_function
from rl.config.credit import preserves_mass
from rl.config.credit_rules import CREDIT_RULES
from rl.config.rollouts import SparseConfig
from rl.config.root import Config
from rl.credit.assigner import CreditAssigner
from rl.credit.counterfactual import LivePolicy, verdict_score
from rl.credit.faithfulness_monitor import FaithfulnessMonitor
from rl.datasets import as_dataset, as_preferences, problems_of
from rl.models.answers import warn_of_judged_thoughts
from rl.models.context import check_messages, check_prompt_lengths
from rl.models.load import configured_tokenizer, load_base_model, model_path, resolve_dtype
from rl.models.logprobs import base_logprobs
from rl.models.lora import check_start, check_targets, lora_config, start_from
from rl.models.quantization import widen_adapter
from rl.models.tokenization import encode_problems
from rl.models.vocabulary import punctuation_mask
from rl.rollouts.engine_hf import local_engine
from rl.rollouts.engines import build_local_engine
from rl.rollouts.generation import generation_config
from rl.rollouts.ledger import Ledger, ledger_path
from rl.rollouts.local import LocalSampler
from rl.rollouts.off_policy import OffPolicyCorrection
from rl.rollouts.rollout_func import Rollouts
from rl.rollouts.sparse_gate import SparseGate
from rl.rollouts.workers.sampler import start_remote_sampler
from rl.routing.bundle import bundle_of, read_description, start_from_bundle
from rl.routing.fit import fit
from rl.routing.route import Route, add_adapters
from rl.routing.routers import task_labels
from rl.runs.jsonl import JsonlFile, read_jsonl
from rl.runs.rollout_recorder import RolloutRecorder
from rl.scoring.balancing import Balancing
from rl.scoring.reward_functions import custom_rewards, reward_functions
from rl.scoring.scorer import BatchScorer
from rl.trainers.dpo import CreditDPOTrainer
from rl.trainers.grpo import CreditGRPOTrainer
from rl.trainers.trl_args import dpo_arguments, grpo_arguments, size_buckets

Training = tuple[Problem, ...] | tuple[PreferencePair, ...]
"""What a trainer trains on: problems for GRPO, preference pairs for DPO."""


def check_files(config: Config) -> None:
    """Raise UserError for a file that the config names and that the run could not use, before a model is loaded."""
    custom_rewards(config.rewards)
    if config.resume is not None:
        return  # which has copies of the others, or no need of them
    if config.credit.rule not in CREDIT_RULES:
        load_function(config.credit.rule, key="credit.rule")
    for name, path in _probe_files(config).items():
        if not path.is_file():
            raise UserError(f"probe.{name}: there is no file {str(path)!r}")
    if config.lora.start is not None:
        check_start(config.lora.start)
    if config.routing.start is not None:
        read_description(bundle_of(config.routing.start))


def _probe_files(config: Config) -> dict[str, Path]:
    """Return the files that the probe reads, by setting."""
    files = {"roles": config.probe.roles, "baseline": config.probe.baseline}
    return {name: path for name, path in files.items() if path is not None}


@contextmanager
def trainer_context(
    config: Config, folder: Path, training: Training, callbacks: list[TrainerCallback]
) -> Iterator[CreditGRPOTrainer | CreditDPOTrainer]:
    """Build the trainer, and close its rollout workers when the block ends, whatever happens in it."""
    trainer = build_trainer(config, folder, training, callbacks)
    close = trainer.rollouts.close if isinstance(trainer, CreditGRPOTrainer) else lambda: None
    try:
        yield trainer
    except BaseException:  # other ranks may never get here, so this one must not wait for them
        close()
        raise
    shutdown_main_last(close)


def build_trainer(
    config: Config, folder: Path, training: Training, callbacks: list[TrainerCallback]
) -> CreditGRPOTrainer | CreditDPOTrainer:
    """Build the trainer of the config's algorithm around the base model and a fresh LoRA adapter called `default`."""
    tokenizer, dtype = configured_tokenizer(config.model), resolve_dtype(config.model.dtype)
    is_grpo, bf16 = config.algorithm == "grpo", dtype == torch.bfloat16
    # Before the model is loaded: under ZeRO-3 the arguments have transformers shard the weights while it reads them.
    arguments = (grpo_arguments if is_grpo else dpo_arguments)(config, folder=folder, bf16=bf16)
    with PartialState().main_process_first():  # it copies the files that the others then load
        path = config.model.calibration
        calibration = None if path is None else copy_into_run(path, folder, key="model.calibration")
    model = load_base_model(config.model.model_copy(update={"calibration": calibration}))
    warn_of_judged_thoughts(config.model, tokenizer)
    check_targets(model, config.lora)
    check_messages(model, tokenizer, problems_of(training))
    if is_grpo:  # DPO cuts its pairs at `dpo.max_length`
        check_prompt_lengths(model, tokenizer, problems_of(training), data="training problems")
    # PEFT looks for the base model's config at every save; a hub name would cost a request each time.
    model.name_or_path = model_path(config.model.name)
    with PartialState().main_process_first():
        credit = build_credit(config, folder, tokenizer)
    shared = {
        "args": arguments,
        "model": model,
        "processing_class": tokenizer,
        "peft_config": lora_config(config.lora),
        "credit": credit,
        "callbacks": callbacks,
    }
    trainer = (_grpo_trainer if is_grpo else _dpo_trainer)(config, folder, training, **shared)
    if config.model.quantization:
        widen_adapter(trainer.policy)
    if config.routing.adapters:
        trainer.route_by(build_route(config, trainer.policy, tokenizer, training))
    if config.lora.start is not None and config.resume is None:  # a checkpoint has the weights
        start_from(trainer.policy, config.lora.start, config.model.name)
    if (plugin := trainer.args.deepspeed_plugin) is not None:  # it starts when the training does
        size_buckets(plugin.deepspeed_config, trainer.policy)
    trainer.remove_callback(PrinterCallback)  # ProgressCallback shows what it would print
    return trainer


def _grpo_trainer(config: Config, folder: Path, problems: Any, **shared: Any) -> CreditGRPOTrainer:
    arguments, tokenizer, callbacks = shared["args"], shared["processing_class"], shared.pop("callbacks")
    # `trainer` is assigned below: TRL makes the policy out of the model, and asks for no reward before that.
    scorer = BatchScorer(
        config.rewards, log_probs=lambda problems, texts: base_logprobs(trainer.policy, tokenizer, problems, texts)
    )
    rewards, weights = reward_functions(config.rewards, scorer=scorer)
    arguments.reward_weights = weights
    balancing = Balancing(config.rewards) if len(rewards) > 1 else None
    ledger = Ledger(ledger_path(folder, arguments.process_index), num_generations=config.trainer.num_generations)
    recorder = RolloutRecorder(JsonlFile(folder / "rollouts.jsonl"), num_generations=config.trainer.num_generations)
    trainer = CreditGRPOTrainer(
        config=config,
        train_dataset=as_dataset(problems),
        reward_funcs=rewards,
        rollouts=build_rollouts(config, shared["model"], tokenizer, ledger, folder),
        scorer=scorer,
        faithfulness_monitor=build_faithfulness_monitor(config, tokenizer, problems),
        recorder=recorder if arguments.process_index == 0 else None,
        balancing=balancing,
        text_rewards=all(problem.is_text for problem in problems),
        callbacks=[*callbacks, balancing] if balancing else callbacks,
        **shared,
    )
    return trainer


def _dpo_trainer(config: Config, folder: Path, pairs: Any, **shared: Any) -> CreditDPOTrainer:
    as_text = shared["processing_class"].chat_template is None
    trainer = CreditDPOTrainer(
        train_dataset=as_preferences(pairs, as_text=as_text),
        pairs=pairs,
        shared_prompts=config.trainer.shared_prompts,
        tokens_per_row=config.packed_tokens,
        **shared,
    )
    if not len(trainer.train_dataset):  # pyright: ignore[reportArgumentType]
        raise UserError(
            f"dpo.max_length={config.dpo.max_length} is filled by the prompt of each of the {len(pairs)} pairs, so no "
            "token of an answer is left to train on; raise dpo.max_length"
        )
    return trainer


def build_route(
    config: Config,
    policy: PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    training: Sequence[Problem] | Sequence[PreferencePair],
) -> Route:
    """Add the config's adapters to the policy and, for a fresh run, fit a router to the training prompts."""
    route = add_adapters(policy, config.lora, config.routing)
    problems = problems_of(training)
    tasks = [problem.task for problem in problems]
    if route.router.needs_tasks:
        task_labels(config.routing, tasks)  # raises now rather than at the first prompt without a label
    if config.resume is not None:  # a checkpoint has the adapters and the router
        route.router.requires_grad_(not config.routing.frozen)
        return route
    if config.routing.start is not None and start_from_bundle(route, config.routing.start, config.model.name):
        return route
    fit(route.router, policy, encode_problems(tokenizer, problems), tasks, seed=config.trainer.seed)
    return route


def build_credit(config: Config, folder: Path, tokenizer: PreTrainedTokenizerBase) -> CreditAssigner:
    """Build the credit assigner from the run folder's copies of the files that the config names."""
    probe, rule = config.probe, config.credit.rule
    copies = {name: copy_into_run(path, folder, key=f"probe.{name}") for name, path in _probe_files(config).items()}
    custom_rule = None
    if rule not in CREDIT_RULES:
        location, _, name = rule.rpartition(":")
        path, copy = Path(location), copy_into_run(Path(location), folder, key="credit.rule")
        # The file itself, beside which are those that it imports; a resumed run may have only the copy.
        custom_rule = load_function(f"{path if path.is_file() else copy}:{name}", key="credit.rule")
    mass = {"preserve_mass": preserves_mass(config.credit, config.algorithm)}
    return CreditAssigner(
        config.credit.model_copy(update=mass),
        probe.model_copy(update=copies),
        seed=config.trainer.seed,
        custom_rule=custom_rule,
        punctuation=punctuation_mask(tokenizer),
    )


def build_faithfulness_monitor(
    config: Config, tokenizer: PreTrainedTokenizerBase, problems: Sequence[Problem]
) -> FaithfulnessMonitor | None:
    """Build the monitor of the rule's faithfulness, or None when `credit.faithfulness.every` is 0."""
    settings, trainer = config.credit.faithfulness, config.trainer
    if not settings.every:
        return None
    score = verdict_score(tokenizer, problems if settings.resample else ())
    generation = generation_config(trainer, config.rollouts)

    def wrap_policy(policy: PeftModel) -> LivePolicy:
        engine = local_engine(policy, tokenizer, generation, config.routing)
        assert isinstance(tokenizer.pad_token_id, int)
        return LivePolicy(policy, engine, score=score, seed=trainer.seed)

    return FaithfulnessMonitor(settings, wrap_policy=wrap_policy, report=Console().print, rule=config.credit.rule)


def build_gate(
    settings: SparseConfig, model: PreTrainedModel, folder: Path | None, temperature: float
) -> SparseGate | None:
    """Build the gate of sparse prompts, or None where they are read densely; its decisions go into the run folder."""
    if settings.plan is None:
        return None
    assert folder is not None, "a run has a folder"
    log_file = JsonlFile(folder / f"sparse-{PartialState().process_index}.jsonl")
    decisions = read_jsonl(log_file.path)
    return SparseGate(
        model,
        settings,
        temperature=temperature,
        decisions=decisions,
        record=log_file.append,
        report=Console().print,
    )


def build_rollouts(
    config: Config,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    ledger: Ledger | None = None,
    folder: Path | None = None,
) -> Rollouts:
    """Build the rollouts of the live model, sampled in this process or by workers.

    `model` may be the plain base model: PEFT later changes its layers in place.
    """
    settings = config.rollouts
    generation = generation_config(config.trainer, settings)
    if settings.workers or settings.on_servers:
        learner = local_engine(model, tokenizer, generation, config.routing)
        sampler = start_remote_sampler(config, learner, ledger)
    else:
        engine = build_local_engine(settings.engine, model, tokenizer, generation, config.routing)
        sampler = LocalSampler(engine, build_gate(settings.sparse, model, folder, generation.temperature))
    return Rollouts(
        sampler,
        tokenizer,
        num_generations=config.trainer.num_generations,
        groups_per_unit=settings.groups_per_unit,
        seed=config.trainer.seed,
        max_staleness=settings.max_staleness,
        max_dropped=settings.max_dropped,
        refill=settings.refill,
        ledger=ledger,
        correction=OffPolicyCorrection(mode=settings.correction, cap=settings.correction_cap),
    )
