"""The config: it refuses what cannot work, names both sides of a contradiction, and costs no torch."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from rl.config.checks.general import contradictions
from rl.config.errors import dotted_keys
from rl.config.model import AdapterConfig
from rl.config.root import Config
from rl.config.trainer import GRPO_ONLY, DpoConfig, TrainerConfig
from rl.config.trl_fields import DECIDED, trl_fields


def problems(**sections: object) -> list[str]:
    """The sentences of a refused config, without pydantic's frame around them."""
    with pytest.raises(ValidationError) as caught:
        Config.model_validate(sections)
    return [line for detail in caught.value.errors() for line in str(detail.get("ctx", {})["error"]).splitlines()]


def test_defaults_contradict_nothing():
    assert list(contradictions(Config())) == []


def test_config_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Config().trainer.learning_rate = 1.0  # pyright: ignore[reportAttributeAccessIssue]


def test_settings_and_the_packages_of_plain_values_import_no_torch():
    program = "import sys, rl.config, rl.config.load, rewards, data; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_dotted_keys_reach_into_sections_but_not_into_trl():
    assert {"resume", "trainer.learning_rate", "probe.horizon", "trl"} <= set(dotted_keys())
    assert "trainer" not in dotted_keys()


def test_trainer_and_dpo_keys_are_names_of_trl():
    assert set(TrainerConfig.model_fields) <= trl_fields("grpo")
    assert set(TrainerConfig.model_fields) - trl_fields("dpo") <= GRPO_ONLY <= set(TrainerConfig.model_fields)
    assert set(DpoConfig.model_fields) <= trl_fields("dpo")


def test_what_heed_decides_are_names_of_trl_and_no_keys_of_trainer():
    assert set(DECIDED) <= trl_fields("grpo") | trl_fields("dpo")
    assert not set(DECIDED) & set(TrainerConfig.model_fields)


def test_a_batch_of_broken_groups_names_the_nearest_batches_and_groups():
    # 6 completions a generation, groups of 4: batches of 4 or 8 fit, and so do groups of 3 or 6
    assert problems(trainer={"per_device_train_batch_size": 6, "num_generations": 4}) == [
        "trainer.per_device_train_batch_size=6 x trainer.gradient_accumulation_steps=1 is 6 completions, not whole "
        "groups of trainer.num_generations=4; set per_device_train_batch_size to 4 or 8, or num_generations to 3 or 6"
    ]


def test_accumulated_steps_count_towards_the_batch():
    # 3 x 4 = 12 completions hold one group of 6 twice; 3 x 2 = 6 hold no group of 4, but 2 x 2 and 4 x 2 do
    Config.model_validate(
        {"trainer": {"per_device_train_batch_size": 3, "gradient_accumulation_steps": 4, "num_generations": 6}}
    )
    [sentence] = problems(trainer={"per_device_train_batch_size": 3, "steps_per_generation": 2, "num_generations": 4})
    assert "trainer.steps_per_generation=2 is 6 completions" in sentence
    assert "set per_device_train_batch_size to 2 or 4, or num_generations to 3 or 6" in sentence


def test_a_batch_of_one_has_no_fitting_groups():
    [sentence] = problems(trainer={"per_device_train_batch_size": 1, "num_generations": 2})
    assert sentence.endswith("set per_device_train_batch_size to 2")


def test_one_generation_cannot_be_compared():
    assert problems(trainer={"num_generations": 1}) == [
        "got 1, but GRPO compares the completions of a prompt with each other; set 2 or more"
    ]


@pytest.mark.parametrize(
    ("sections", "sentence"),
    [
        (
            {"trainer": {"epsilon": 0.2, "epsilon_high": 0.1}},
            "trainer.epsilon_high=0.1 is below trainer.epsilon=0.2; raise epsilon_high, or leave it null to clip alike "
            "on both sides",
        ),
        (
            {"trainer": {"loss_type": "vespo", "importance_sampling_level": "sequence"}},
            "trainer.loss_type=vespo weighs sequences by itself, which trainer.importance_sampling_level=sequence "
            "would do again; set importance_sampling_level=token",
        ),
        (
            {"trainer": {"warmup_steps": 5}},
            "trainer.warmup_steps=5 is ignored by trainer.lr_scheduler_type=constant; set "
            "lr_scheduler_type=constant_with_warmup, or warmup_steps=0",
        ),
        (
            {"trainer": {"warmup_steps": 9, "max_steps": 9, "lr_scheduler_type": "linear"}},
            "trainer.warmup_steps=9 leaves no step of trainer.max_steps=9 at the full learning rate; lower "
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
            "credit.floor=1.0 with credit.preserve_mass=true makes every weight 1, so credit.rule=random does nothing; "
            "lower floor, or set credit.rule=uniform",
        ),
        (
            {"probe": {"horizon": (10, 10)}},
            "probe.horizon=[10, 10] is empty: the first distance must be below the second, as in [10, 100]",
        ),
        (
            {"data": {"held_out_path": "held.jsonl"}},
            "data.held_out_path=held.jsonl needs a data.path to train on; without one, all problems are drawn "
            "from our own instructions: set data.path, or drop held_out_path",
        ),
        (
            {"data": {"path": "train.jsonl", "kinds": ("punctuation:no_comma",)}},
            "data.kinds chooses among the problems we draw, but data.path=train.jsonl brings its own; set one of the "
            "two to null",
        ),
        (
            {"rewards": {"satisfaction_weight": 0.0}},
            "rewards.satisfaction_weight is 0 and rewards.functions is empty: nothing is rewarded; set "
            "rewards.satisfaction_weight=1.0",
        ),
        (
            {"evaluation": {"samples": 4}},
            "evaluation.samples=4 at evaluation.temperature=0.0 are copies of one greedy answer; set samples=1, or a "
            "temperature such as 1.0",
        ),
        (
            {"evaluation": {"every": 5}, "data": {"held_out": 0}},
            "evaluation.every=5 has nothing to score with data.held_out=0; set data.held_out, or every=0",
        ),
        (
            {"distributed": {"processes": 4, "nodes": 2, "launcher": "local"}},
            "distributed.launcher=local starts ranks on one machine, but distributed.nodes=2; set launcher=ray, or run "
            "`torchrun --nnodes=2 --nproc-per-node=2 --rdzv-backend=c10d --rdzv-endpoint=HOST:29500 -m launch.cli "
            "train RECIPE` with launcher=null on every node",
        ),
        (
            {"distributed": {"processes": 2, "restarts": 1}},
            "distributed.restarts=1 is Ray's to do; set launcher=ray, or restarts=0",
        ),
        (
            {"distributed": {"processes": 2, "gpus": 0.75}},
            "distributed.gpus=0.75 is what Ray reserves for a rank; set launcher=ray, or gpus=null",
        ),
    ],
)
def test_contradictions_name_both_keys_and_the_fix(sections: dict[str, object], sentence: str):
    assert problems(**sections) == [sentence]


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"rewards": {"balance": {"constraints": {}}}}, "the only reward, which changes nothing"),
        (
            {"rewards": {"separate": True, "balance": {"lenght": {}}}},
            "names lenght, but the rewards are content",
        ),
        (
            {"rewards": {"separate": True, "satisfaction_weight": 2.0, "balance": {"length": {}}}},
            "drop satisfaction_weight and state the weight under balance",
        ),
        (
            {
                "rewards": {"separate": True, "balance": {"length": {}}},
                "trl": {"multi_objective_aggregation": "sum_then_normalize"},
            },
            "adds rewards before they are standardised",
        ),
        ({"rewards": {"functions": ("a.py:reward", "b.py:reward")}}, "two rewards have one name"),
        ({"rewards": {"fluency": (-6.0, -3.0)}}, "must be likelier than a hopeless one"),
    ],
)
def test_rewards_that_cannot_be_weighed_are_refused(sections: dict[str, object], words: str):
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
def test_what_agrees_is_accepted(sections: dict[str, object]):
    assert list(contradictions(Config.model_validate(sections))) == []


@pytest.mark.parametrize("name", ["run", "seed-1", "v0.1_b"])
def test_run_names_that_are_file_names_are_accepted(name: str):
    assert Config.model_validate({"run": {"name": name}}).run.name == name


@pytest.mark.parametrize("name", ["", "a/b", "..", "-x", "a b"])
def test_run_names_that_would_leave_the_folder_are_refused(name: str):
    [sentence] = problems(run={"name": name})
    assert sentence == f"should be letters, digits, '.', '_' and '-', as in a file's name, got {name!r}"


@pytest.mark.parametrize(
    ("block", "sentence"),
    [
        ({"delte": 1}, "trl.delte: TRL's GRPOConfig has no such field; did you mean trl.delta?"),
        ({"qqqq": 1}, "trl.qqqq: TRL's GRPOConfig has no such field"),
        ({"beta": 0.1}, "trl.beta: a key is set in one place only; set trainer.beta"),
        ({"output_dir": "x"}, "trl.output_dir: decided by Heed: set run.folder"),
        ({"report_to": "wandb"}, "trl.report_to: decided by Heed: set tracking.report_to"),
        ({"vllm_mode": "server"}, "trl.vllm_mode: decided by Heed: Heed samples the completions itself"),
        (
            {"top_p": 0.9},
            "trl.top_p: decided by Heed: completions are sampled from the policy's whole distribution, so that its "
            "log-probs are theirs",
        ),
    ],
)
def test_trl_keys_that_may_not_stand_there_say_why(block: dict[str, object], sentence: str):
    assert problems(trl=block) == [sentence]


def test_other_trl_keys_pass():
    assert Config(trl={"delta": 1.5, "adam_beta2": 0.95}).trl == {"delta": 1.5, "adam_beta2": 0.95}


def test_layers_are_chosen_only_among_named_modules():
    named = AdapterConfig(layers=(1,), target_modules=("q_proj",))
    assert Config(lora=named).lora == named
    with pytest.raises(ValueError, match=r"lora\.layers needs the modules by name"):
        Config(lora=AdapterConfig(layers=(1,)))
