"""Contradictions in a config: settings that are each allowed, but not together."""

from bisect import bisect
from collections.abc import Iterator
from math import gcd

from rl.config.checks.adapter import adapter_contradictions
from rl.config.checks.attention import attention_contradictions
from rl.config.checks.credit import credit_contradictions
from rl.config.checks.data import data_contradictions
from rl.config.checks.dpo import dpo_contradictions
from rl.config.checks.routing import routing_contradictions
from rl.config.data import DataConfig
from rl.config.distributed import DistributedConfig
from rl.config.engines import ENGINES
from rl.config.pairs import PairsConfig
from rl.config.rewards import RewardsConfig, constraint_names, reward_names
from rl.config.rollouts import RolloutsConfig
from rl.config.run import EvaluationConfig
from rl.config.sections import Sections
from rl.config.trainer import TrainerConfig
from rl.config.vllm import VllmConfig


def contradictions(config: Sections) -> Iterator[str]:
    """Yield one sentence for each contradiction, which names the keys and the fix."""
    if config.algorithm == "grpo":
        yield from _groups(config.trainer)
        yield from _clipping(config.trainer)
        yield from _rollouts(config)
        if config.pairs != PairsConfig():
            yield "pairs makes pairs for algorithm=dpo; drop it, or set algorithm=dpo"
    else:
        yield from dpo_contradictions(config)
    yield from _warmup(config.trainer)
    yield from credit_contradictions(config)
    yield from attention_contradictions(config)
    yield from adapter_contradictions(config)
    yield from routing_contradictions(config)
    yield from data_contradictions(config)
    yield from _rewards(config.rewards)
    yield from _balance(config)
    yield from _distributed(config.distributed)
    if config.distributed.processes > 1:
        yield from _single_process(config)
    yield from _evaluation(config.evaluation, config.data)
    yield from _thoughts(config)


def _thoughts(config: Sections) -> Iterator[str]:
    """Settings that tell thoughts from answers need to know where a thought ends."""
    if config.model.reasoning is not None:
        return
    if config.credit.region != "all":
        yield (
            f"credit.region={config.credit.region} needs completions with a thought and an answer, and "
            "model.reasoning is null; set model.reasoning=auto, or credit.region=all"
        )
    if config.rewards.thought_budget is not None:
        yield (
            "rewards.thought_budget counts the tokens of thoughts, and model.reasoning is null; set "
            "model.reasoning=auto, or rewards.thought_budget=null"
        )


def _groups(trainer: TrainerConfig) -> Iterator[str]:
    batch, group = trainer.batch_per_generation, trainer.num_generations
    if batch % group == 0:
        return
    size = trainer.per_device_train_batch_size
    steps = batch // size
    steps_name = "gradient_accumulation_steps" if trainer.steps_per_generation is None else "steps_per_generation"
    sizes = _nearest_multiples(size, group // gcd(group, steps))
    groups = _nearest_divisors(batch, group)
    yield (
        f"trainer.per_device_train_batch_size={size} x trainer.{steps_name}={steps} is {batch} completions, not whole "
        f"groups of trainer.num_generations={group}; set per_device_train_batch_size to {_alternatives(sizes)}"
        + (f", or num_generations to {_alternatives(groups)}" if groups else "")
    )


def _nearest_multiples(value: int, step: int) -> list[int]:
    below = value // step * step
    return [multiple for multiple in (below, below + step) if multiple > 0]


def _nearest_divisors(total: int, value: int) -> list[int]:
    divisors = [number for number in range(2, total + 1) if total % number == 0]
    position = bisect(divisors, value)
    return divisors[max(position - 1, 0) : position + 1]


def _alternatives(numbers: list[int]) -> str:
    return " or ".join(str(number) for number in numbers)


def _clipping(trainer: TrainerConfig) -> Iterator[str]:
    if trainer.epsilon_high is not None and trainer.epsilon_high < trainer.epsilon:
        yield (
            f"trainer.epsilon_high={trainer.epsilon_high} is below trainer.epsilon={trainer.epsilon}; "
            "raise epsilon_high, or leave it null to clip equally on both sides"
        )
    if trainer.loss_type == "vespo" and trainer.importance_sampling_level == "sequence":
        yield (
            "trainer.loss_type=vespo weighs sequences itself, so trainer.importance_sampling_level=sequence would "
            "weigh them twice; set importance_sampling_level=token"
        )


def _warmup(trainer: TrainerConfig) -> Iterator[str]:
    if trainer.warmup_steps and trainer.lr_scheduler_type == "constant":
        yield (
            f"trainer.warmup_steps={trainer.warmup_steps} is ignored by trainer.lr_scheduler_type=constant; "
            "set lr_scheduler_type=constant_with_warmup, or warmup_steps=0"
        )
    if trainer.num_train_epochs is None and trainer.warmup_steps >= trainer.max_steps:
        yield (
            f"trainer.warmup_steps={trainer.warmup_steps} leaves none of trainer.max_steps={trainer.max_steps} "
            "at the full learning rate; lower warmup_steps or raise max_steps"
        )


def _rewards(rewards: RewardsConfig) -> Iterator[str]:
    if not rewards.functions and not rewards.satisfaction_weight:
        yield (
            "rewards.satisfaction_weight is 0 and rewards.functions is empty: nothing is rewarded; "
            "set rewards.satisfaction_weight=1.0"
        )
    ordinary, hopeless = rewards.fluency
    if ordinary <= hopeless:
        yield (
            f"rewards.fluency=[{ordinary}, {hopeless}]: the first value, for ordinary text, must be above the "
            "second, for hopeless text, as in [-5.3, -7.5]"
        )


def _balance(config: Sections) -> Iterator[str]:
    rewards, names = config.rewards, reward_names(config.rewards)
    if len(set(names)) < len(names):
        yield f"rewards.functions: two rewards have the same name, {', '.join(names)}; rename one of the functions"
    if unknown := sorted(set(rewards.balance) - set(names)):
        yield f"rewards.balance names {', '.join(unknown)}, but the rewards are {', '.join(names)}; name one of those"
    if rewards.balance and len(names) == 1:
        yield (
            f"rewards.balance weighs {names[0]}, the only reward, so it has no effect; "
            "set rewards.separate=true for one reward per category, or add one under rewards.functions"
        )
    if rewards.satisfaction_weight != 1.0 and set(rewards.balance) & set(constraint_names(rewards)):
        yield (
            f"rewards.satisfaction_weight={rewards.satisfaction_weight} and rewards.balance both weigh the "
            "constraints; drop satisfaction_weight, and set the weight under balance"
        )
    aggregation = config.trl.get("multi_objective_aggregation", "normalize_then_sum")
    if rewards.balance and aggregation != "normalize_then_sum":
        yield (
            f"trl.multi_objective_aggregation={aggregation} adds rewards before they are standardised, so that a "
            "weight of rewards.balance is no share of influence; drop it, or rewards.balance"
        )


def _rollouts(config: Sections) -> Iterator[str]:
    rollouts, trainer = config.rollouts, config.trainer
    yield from _servers(rollouts)
    if rollouts.workers == 0 and not rollouts.on_servers:
        needing = ["engine"] if not ENGINES[rollouts.engine].in_process else []
        for name in (*needing, "address", "max_staleness"):
            value, default = getattr(rollouts, name), type(rollouts).model_fields[name].default
            if value != default:
                yield (
                    f"rollouts.{name}={value} needs a worker, but rollouts.workers=0 samples in the trainer's "
                    f"process; set rollouts.workers=1, or drop {name}"
                )
    yield from _vllm(rollouts, trainer)
    ahead = trainer.steps_between_generations
    if 0 < rollouts.max_staleness < ahead:
        yield (
            f"rollouts.max_staleness={rollouts.max_staleness} allows no sampling ahead: a generation batch "
            f"lasts {ahead} optimizer steps (trainer.steps_per_generation x trainer.num_iterations); set max_staleness "
            f"to 0 or to {ahead}"
        )
    if rollouts.max_staleness and rollouts.correction != "none" and not ENGINES[rollouts.engine].logprobs:
        yield (
            f"rollouts.correction={rollouts.correction} weighs stale tokens by the sampler's log-probs, which "
            f"rollouts.engine={rollouts.engine} does not give; set correction=none, or max_staleness=0"
        )
    if rollouts.refill and config.trl.get("log_completions"):
        yield "rollouts.refill rewards groups that TRL's table of trl.log_completions lacks; drop one of the two"
    if rollouts.max_staleness and rollouts.correction != "none" and trainer.loss_type == "luspo":
        yield (
            f"rollouts.correction={rollouts.correction} weighs tokens or sequences, which trainer.loss_type=luspo does "
            "itself; set correction=none, or another loss_type"
        )


def _vllm(rollouts: RolloutsConfig, trainer: TrainerConfig) -> Iterator[str]:
    if rollouts.engine != "vllm" and rollouts.vllm != VllmConfig():
        yield f"rollouts.vllm has no effect with rollouts.engine={rollouts.engine}; set engine=vllm, or drop it"
    size = rollouts.vllm.tensor_parallel_size
    if size > 1 and rollouts.gpus != size:
        yield (
            f"rollouts.vllm.tensor_parallel_size={size} needs as many GPUs for each worker, but rollouts.gpus="
            f"{rollouts.gpus:g}; set gpus={size} on a cluster (rollouts.address), or tensor_parallel_size=1"
        )
    length, most = rollouts.vllm.max_model_len, trainer.max_completion_length
    if length is not None and length <= most:
        yield (
            f"rollouts.vllm.max_model_len={length} leaves no prompt beside trainer.max_completion_length={most}; raise "
            "max_model_len, or leave it null"
        )


def _servers(rollouts: RolloutsConfig) -> Iterator[str]:
    """Refuse addresses of servers that nothing asks, a server without one, and settings of Ray beside it."""
    if rollouts.on_servers and not rollouts.urls:
        yield (
            f"rollouts.engine={rollouts.engine} needs the address of a server that you have started; set rollouts.url, "
            "as in rollouts.url=http://127.0.0.1:8000"
        )
    asked = " or ".join(name for name, spec in ENGINES.items() if spec.server)
    for name in ("url", "adapter_folder"):
        if getattr(rollouts, name) is not None and not rollouts.on_servers:
            yield f"rollouts.{name} is for rollouts.engine={asked}, not {rollouts.engine}; set that, or drop {name}"
    for name in ("address", "gpus") if rollouts.on_servers else ():
        if value := getattr(rollouts, name):
            yield (
                f"rollouts.{name}={value} is for Ray workers, and rollouts.engine={rollouts.engine} has none; "
                f"drop {name}"
            )


def _distributed(distributed: DistributedConfig) -> Iterator[str]:
    processes, nodes = distributed.processes, distributed.nodes
    if processes % nodes:
        yield (
            f"distributed.processes={processes} cannot be spread evenly over distributed.nodes={nodes}; "
            f"set processes to {_alternatives(_nearest_multiples(processes, nodes))}"
        )
    if distributed.offload and not distributed.zero:
        yield "distributed.offload moves what DeepSpeed shards, but distributed.zero=0 shards nothing; set zero=2 or 3"
    if distributed.launcher == "local" and nodes > 1:
        yield (
            f"distributed.launcher=local starts ranks on one machine, but distributed.nodes={nodes}; set launcher=ray, "
            f"or run `torchrun --nnodes={nodes} --nproc-per-node={processes // nodes} --rdzv-backend=c10d "
            "--rdzv-endpoint=HOST:29500 -m launch.cli train RECIPE` with launcher=null on every node"
        )
    if distributed.restarts and not distributed.on_ray:
        yield f"distributed.restarts={distributed.restarts} needs Ray for restarting; set launcher=ray, or restarts=0"
    if distributed.gpus is not None and not distributed.on_ray:
        yield f"distributed.gpus={distributed.gpus} needs Ray, which reserves GPUs; set launcher=ray, or gpus=null"


def _single_process(config: Sections) -> Iterator[str]:
    """Refuse features that need a single process."""
    processes = config.distributed.processes
    if config.pairs.rounds:
        yield f"pairs.rounds samples in one process, but distributed.processes={processes}; set rounds=0 or processes=1"
    in_process = not (config.rollouts.workers or config.rollouts.on_servers)
    if config.rollouts.refill and config.distributed.zero == 3 and in_process:
        yield (
            f"rollouts.refill={config.rollouts.refill} samples again on the ranks that need it, and under "
            "distributed.zero=3 ranks sample together only; set zero=2 or less, rollouts.workers, or refill=0"
        )
    if config.credit.faithfulness.every:
        yield (
            f"credit.faithfulness.every={config.credit.faithfulness.every} works in one process, but "
            f"distributed.processes={processes}; set every=0 or processes=1"
        )


def _evaluation(evaluation: EvaluationConfig, data: DataConfig) -> Iterator[str]:
    if evaluation.samples > 1 and evaluation.temperature == 0.0:
        yield (
            f"evaluation.samples={evaluation.samples} at evaluation.temperature=0.0 are copies of the same "
            "greedy answer; set samples=1, or a temperature such as 1.0"
        )
    if evaluation.every and not data.held_out and data.held_out_path is None:
        yield (
            f"evaluation.every={evaluation.every} has nothing to evaluate with data.held_out=0; "
            "set data.held_out, or every=0"
        )
