"""Contradictions in a config: each names both keys and the fix."""

import pytest

from rl.config.checks.general import contradictions
from rl.config.load import parse_config
from rl.config.model import AdapterConfig
from rl.config.root import Config
from tests.rl.config_fixtures import problems


def test_contradictions__defaults_have_none():
    assert list(contradictions(Config())) == []


def test_groups__a_broken_batch_names_the_nearest_batches_and_groups():
    # 6 completions a generation, groups of 4: batches of 4 or 8 fit, and so do groups of 3 or 6
    assert problems(trainer={"per_device_train_batch_size": 6, "num_generations": 4}) == [
        "trainer.per_device_train_batch_size=6 x trainer.gradient_accumulation_steps=1 is 6 completions, not whole "
        "groups of trainer.num_generations=4; set per_device_train_batch_size to 4 or 8, or num_generations to 3 or 6"
    ]


def test_groups__accumulated_steps_count_towards_the_batch():
    # 3 x 4 = 12 completions hold one group of 6 twice; 3 x 2 = 6 hold no group of 4, but 2 x 2 and 4 x 2 do
    Config.model_validate(
        {"trainer": {"per_device_train_batch_size": 3, "gradient_accumulation_steps": 4, "num_generations": 6}}
    )
    [sentence] = problems(trainer={"per_device_train_batch_size": 3, "steps_per_generation": 2, "num_generations": 4})
    assert "trainer.steps_per_generation=2 is 6 completions" in sentence
    assert "set per_device_train_batch_size to 2 or 4, or num_generations to 3 or 6" in sentence


def test_groups__a_batch_of_one_has_no_fitting_groups():
    [sentence] = problems(trainer={"per_device_train_batch_size": 1, "num_generations": 2})
    assert sentence.endswith("set per_device_train_batch_size to 2")


def test_groups__one_generation_cannot_be_compared():
    assert problems(trainer={"num_generations": 1}) == [
        "got 1, but GRPO compares the completions of a prompt with each other; set 2 or more"
    ]


@pytest.mark.parametrize(
    ("sections", "sentence"),
    [
        (
            {"rollouts": {"refill": 1}, "distributed": {"processes": 2, "zero": 3}},
            "rollouts.refill=1 samples again on the ranks that need it, and under distributed.zero=3 ranks sample "
            "together only; set zero=2 or less, rollouts.workers, or refill=0",
        ),
        (
            {"data": {"order": "band", "band": [0.8, 0.2]}},
            "data.band=[0.8, 0.2]: the first value is the lower one; write [0.2, 0.8]",
        ),
        (
            {"data": {"order": "easy_first"}, "run": {"rebuild_ledger": True}},
            "run.rebuild_ledger=true brings back no rewards, and data.order=easy_first goes by them; start a new run",
        ),
        (
            {"trainer": {"epsilon": 0.2, "epsilon_high": 0.1}},
            "trainer.epsilon_high=0.1 is below trainer.epsilon=0.2; raise epsilon_high, or leave it null to clip "
            "equally on both sides",
        ),
        (
            {"trainer": {"loss_type": "vespo", "importance_sampling_level": "sequence"}},
            "trainer.loss_type=vespo weighs sequences itself, so trainer.importance_sampling_level=sequence would "
            "weigh them twice; set importance_sampling_level=token",
        ),
        (
            {"trainer": {"warmup_steps": 5}},
            "trainer.warmup_steps=5 is ignored by trainer.lr_scheduler_type=constant; set "
            "lr_scheduler_type=constant_with_warmup, or warmup_steps=0",
        ),
        (
            {"lora": {"target_modules": ["q_proj"], "layers": [-1]}},
            "lora.layers=[-1]: layers are numbered from 0, from the embedding up; name none below 0",
        ),
        (
            {"lora": {"use_dora": True}, "rollouts": {"engine": "vllm", "workers": 1}},
            "lora.use_dora=true cannot be served by rollouts.engine=vllm; set use_dora=false, or engine=transformers",
        ),
        (
            {"trainer": {"warmup_steps": 9, "max_steps": 9, "lr_scheduler_type": "linear"}},
            "trainer.warmup_steps=9 leaves none of trainer.max_steps=9 at the full learning rate; lower "
            "warmup_steps or raise max_steps",
        ),
        (
            {"credit": {"rule": "global_anchor"}, "trainer": {"loss_type": "luspo"}},
            "credit.rule=global_anchor weighs tokens, but trainer.loss_type=luspo treats a completion as one; set "
            "credit.rule=uniform, or another loss_type",
        ),
        (
            {"credit": {"rule": "random"}, "trainer": {"importance_sampling_level": "sequence"}},
            "credit.rule=random weighs tokens, but trainer.importance_sampling_level=sequence treats a completion as "
            "one; set credit.rule=uniform, or another importance_sampling_level",
        ),
        (
            {"credit": {"rule": "random", "floor": 1.0}},
            "credit.floor=1.0 with a preserved mass (credit.preserve_mass) makes every weight 1, so credit.rule=random "
            "does nothing; lower floor, or set credit.rule=uniform",
        ),
        (
            {"probe": {"horizon": (10, 10)}},
            "probe.horizon=[10, 10] is empty: the first distance must be below the second, as in [10, 100]",
        ),
        (
            {"data": {"min_constraints": 3, "max_constraints": 2}},
            "data.min_constraints=3 is more than data.max_constraints=2; raise max_constraints (5 at most), or lower "
            "min_constraints",
        ),
        (
            {"data": {"held_out_path": "held.jsonl"}},
            "data.held_out_path=held.jsonl needs a data.path to train on: without one, all problems are generated; "
            "set data.path, or drop held_out_path",
        ),
        (
            {"data": {"path": "train.jsonl", "kinds": ("punctuation:no_comma",)}},
            "data.kinds chooses which problems to generate, but data.path=train.jsonl has problems already; set one of "
            "the two to null",
        ),
        (
            {"rewards": {"satisfaction_weight": 0.0}},
            "rewards.satisfaction_weight is 0 and rewards.functions is empty: nothing is rewarded; set "
            "rewards.satisfaction_weight=1.0",
        ),
        (
            {"evaluation": {"samples": 4}},
            "evaluation.samples=4 at evaluation.temperature=0.0 are copies of the same greedy answer; set samples=1, "
            "or a temperature such as 1.0",
        ),
        (
            {"evaluation": {"every": 5}, "data": {"held_out": 0}},
            "evaluation.every=5 has nothing to evaluate with data.held_out=0; set data.held_out, or every=0",
        ),
        (
            {"distributed": {"processes": 4, "nodes": 2, "launcher": "local"}},
            "distributed.launcher=local starts ranks on one machine, but distributed.nodes=2; set launcher=ray, or run "
            "`torchrun --nnodes=2 --nproc-per-node=2 --rdzv-backend=c10d --rdzv-endpoint=HOST:29500 -m launch.cli "
            "train RECIPE` with launcher=null on every node",
        ),
        (
            {"distributed": {"processes": 2, "restarts": 1}},
            "distributed.restarts=1 needs Ray for restarting; set launcher=ray, or restarts=0",
        ),
        (
            {"distributed": {"processes": 2, "gpus": 0.75}},
            "distributed.gpus=0.75 needs Ray, which reserves GPUs; set launcher=ray, or gpus=null",
        ),
    ],
)
def test_contradictions__name_both_keys_and_the_fix(sections: dict[str, object], sentence: str):
    assert problems(**sections) == [sentence]


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"rewards": {"balance": {"constraints": {}}}}, "the only reward, so it has no effect"),
        (
            {"rewards": {"separate": True, "balance": {"lenght": {}}}},
            "names lenght, but the rewards are content",
        ),
        (
            {"rewards": {"separate": True, "satisfaction_weight": 2.0, "balance": {"length": {}}}},
            "drop satisfaction_weight, and set the weight under balance",
        ),
        (
            {
                "rewards": {"separate": True, "balance": {"length": {}}},
                "trl": {"multi_objective_aggregation": "sum_then_normalize"},
            },
            "adds rewards before they are standardised",
        ),
        ({"rewards": {"functions": ("a.py:reward", "b.py:reward")}}, "two rewards have the same name"),
        ({"rewards": {"fluency": (-6.0, -3.0)}}, "for ordinary text, must be above the second"),
    ],
)
def test_rewards__weights_that_cannot_be_applied_are_refused(sections: dict[str, object], words: str):
    [sentence] = problems(**sections)
    assert words in sentence


@pytest.mark.parametrize(
    "sections",
    [
        {"rewards": {"separate": True, "balance": {"length": {"schedule": "targeted"}}}},
        {"trainer": {"epsilon": 0.2, "epsilon_high": 0.2}},
        {"trainer": {"loss_type": "luspo", "importance_sampling_level": "sequence"}},
        {"trainer": {"warmup_steps": 5, "lr_scheduler_type": "constant_with_warmup"}},
        {"credit": {"rule": "random", "floor": 1.0, "preserve_mass": False}},
        {"credit": {"rule": "uniform", "floor": 1.0}},
        {"data": {"path": "train.jsonl", "held_out_path": "held.jsonl", "held_out": 0}, "evaluation": {"every": 5}},
        {"rewards": {"satisfaction_weight": 0.0, "functions": ("mine.py:reward",)}},
        {"evaluation": {"samples": 4, "temperature": 1.0}},
    ],
)
def test_contradictions__settings_that_agree_are_accepted(sections: dict[str, object]):
    assert list(contradictions(Config.model_validate(sections))) == []


def test_lora__layers_are_chosen_only_among_named_modules():
    named = AdapterConfig(layers=(1,), target_modules=("q_proj",))
    assert Config(lora=named).lora == named
    with pytest.raises(ValueError, match=r"lora\.layers needs the modules by name"):
        Config(lora=AdapterConfig(layers=(1,)))


@pytest.mark.parametrize(
    ("rollouts", "message"),
    [
        ({"max_staleness": 1}, "rollouts.max_staleness=1 needs a worker, but rollouts.workers=0"),
        ({"engine": "vllm"}, "rollouts.engine=vllm needs a worker, but rollouts.workers=0"),
        ({"address": "auto"}, "rollouts.address=auto needs a worker, but rollouts.workers=0"),
    ],
)
def test_rollouts__what_only_workers_can_do_needs_one(rollouts, message):
    with pytest.raises(ValueError, match=message):
        parse_config({"rollouts": rollouts})


@pytest.mark.parametrize(
    ("rollouts", "message"),
    [
        ({"vllm": {"max_model_length": 9}}, r"rollouts\.vllm\.max_model_length: unknown key; .*max_model_len"),
        ({"vllm": {"gpu_memory_utilization": 1.2}}, r"rollouts\.vllm\.gpu_memory_utilization: should be less than"),
        ({"vllm": {"max_model_len": 48}}, "max_model_len=48 leaves no prompt beside trainer.max_completion_length=256"),
        ({"vllm": {"tensor_parallel_size": 2}}, "needs as many GPUs for each worker, but rollouts.gpus=0; set gpus=2"),
        (
            {"engine": "transformers", "vllm": {"enforce_eager": True}},
            "rollouts.vllm has no effect with rollouts.engine=transformers",
        ),
    ],
)
def test_rollouts__the_block_vllm_is_checked(rollouts, message):
    with pytest.raises(ValueError, match=message):
        parse_config({"rollouts": {"workers": 1, "engine": "vllm", **rollouts}})


ENGINES_ON_VLLM = [{"engine": "vllm", "workers": 1}, {"engine": "vllm_server", "url": "http://a"}]


@pytest.mark.parametrize("rollouts", ENGINES_ON_VLLM)
@pytest.mark.parametrize(
    ("sections", "words"),
    [
        (
            {"lora": {"use_dora": True}},
            "lora.use_dora=true cannot be served by rollouts.engine={}; set use_dora=false",
        ),
        ({"lora": {"r": 513}}, "lora.r=513 is more than rollouts.engine={} serves; set at most 512, or engine=transf"),
        ({"routing": {"adapters": ["a", "b"], "ranks": {"b": 600}}}, "routing.ranks.b=600 is more than"),
        (
            {"lora": {"target_modules": ["q_proj", "lm_head"]}},
            "rollouts.engine={} serves no adapter on lm_head",
        ),
        ({"lora": {"target_modules": "embed_tokens"}}, "serves no adapter on embed_tokens"),
    ],
)
def test_lora__that_vllm_does_not_serve_is_refused_before_a_start(sections, words, rollouts):
    assert parse_config(sections).rollouts.engine == "transformers"
    with pytest.raises(ValueError, match=words.format(rollouts["engine"])):
        parse_config({**sections, "rollouts": rollouts})


@pytest.mark.parametrize("rollouts", ENGINES_ON_VLLM)
def test_lora__of_the_largest_rank_is_served_by_vllm(rollouts):
    assert parse_config({"lora": {"r": 512}, "rollouts": rollouts}).lora.r == 512


@pytest.mark.parametrize(
    ("gpus", "block", "options", "share"),
    [
        (0.0, {}, {}, 0.92),
        (1.0, {}, {}, 0.92),
        (0.4, {}, {"gpu_memory_utilization": 0.4}, 0.4),
        (0.4, {"gpu_memory_utilization": 0.3}, {"gpu_memory_utilization": 0.3}, 0.3),
        (0.4, {"quantization": "awq"}, {"gpu_memory_utilization": 0.4, "quantization": "awq"}, 0.4),
    ],
)
def test_vllm__takes_the_workers_share_of_a_gpu_unless_told_another(gpus, block, options, share):
    rollouts = parse_config({"rollouts": {"workers": 1, "engine": "vllm", "gpus": gpus, "vllm": block}}).rollouts
    unset = {"tensor_parallel_size": 1, "enforce_eager": False, "enable_sleep_mode": False}
    assert rollouts.vllm.options(rollouts.gpus) == unset | options
    assert rollouts.vllm.share_of_gpu(rollouts.gpus) == share


@pytest.mark.parametrize(
    ("rollouts", "message"),
    [
        ({"engine": "vllm_server"}, "needs the address of a server.*as in rollouts.url=http://127.0.0.1:8000"),
        ({"url": "http://a"}, "rollouts.url is for rollouts.engine=vllm_server, not transformers"),
        ({"adapter_folder": "shared"}, "rollouts.adapter_folder is for rollouts.engine=vllm_server"),
        ({"engine": "vllm_server", "url": "a:8000"}, "rollouts.url: should be an http:// or https:// address"),
        ({"engine": "vllm_server", "url": "http://a", "address": "auto"}, "rollouts.address=auto is for Ray workers"),
    ],
)
def test_rollouts__servers_are_named_and_have_no_ray(rollouts, message):
    with pytest.raises(ValueError, match=message):
        parse_config({"rollouts": rollouts})


def test_rollouts__servers_sample_ahead_without_workers():
    rollouts = {"engine": "vllm_server", "url": ["http://a:8000/v1", "https://b/"], "max_staleness": 1, "workers": 3}
    config = parse_config({"rollouts": rollouts})
    assert config.rollouts.urls == ("http://a:8000", "https://b")
    assert config.workers_per_rank == 0  # of Ray
    assert config.rollouts.longest_wait == 3 * (300.0 + 600.0)


def test_rollouts__too_small_a_staleness_names_the_smallest_that_works():
    # 4 micro-steps a batch, visited twice, one accumulated: 8 optimizer steps until the next batch is trained
    trainer = {"steps_per_generation": 4, "num_iterations": 2}
    with pytest.raises(ValueError, match=r"rollouts.max_staleness=3 allows no.*lasts 8 optimizer steps.*0 or to 8"):
        parse_config({"trainer": trainer, "rollouts": {"workers": 1, "max_staleness": 3}})
    parse_config({"trainer": trainer, "rollouts": {"workers": 1, "max_staleness": 8}})


def test_rollouts__a_loss_of_whole_sequences_takes_no_token_ratios():
    stale = {"workers": 1, "max_staleness": 1}
    with pytest.raises(ValueError, match=r"rollouts.correction=token_truncate .*trainer.loss_type=luspo"):
        parse_config({"trainer": {"loss_type": "luspo"}, "rollouts": stale})
    parse_config({"trainer": {"loss_type": "luspo"}, "rollouts": {**stale, "correction": "none"}})
