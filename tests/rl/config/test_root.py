"""The config: frozen, without torch, and strict about names and about TRL's fields."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from rl.config.errors import dotted_keys
from rl.config.root import Config
from rl.config.trainer import GRPO_ONLY, OWN, DpoConfig, TrainerConfig
from rl.config.trl_fields import DECIDED, REMOVED, trl_fields
from tests.rl.config_fixtures import problems


def test_config__is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Config().trainer.learning_rate = 1.0  # pyright: ignore[reportAttributeAccessIssue]


def test_imports__settings_rewards_and_data_import_no_torch():
    program = "import sys, rl.config, rl.config.load, rewards, data; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_dotted_keys__reach_into_sections_but_not_into_trl():
    assert {"resume", "trainer.learning_rate", "probe.horizon", "trl"} <= set(dotted_keys())
    assert "trainer" not in dotted_keys()


def test_trainer_and_dpo__keys_are_names_of_trl():
    assert set(TrainerConfig.model_fields) - trl_fields("grpo") == OWN
    assert set(TrainerConfig.model_fields) - OWN - trl_fields("dpo") <= GRPO_ONLY <= set(TrainerConfig.model_fields)
    assert set(DpoConfig.model_fields) <= trl_fields("dpo")


def test_decided__are_names_of_trl_and_no_keys_of_trainer():
    assert set(DECIDED) <= trl_fields("grpo") | trl_fields("dpo")
    assert not set(REMOVED) & (trl_fields("grpo") | trl_fields("dpo"))
    assert not set(DECIDED) & set(TrainerConfig.model_fields)


@pytest.mark.parametrize("name", ["run", "seed-1", "v0.1_b"])
def test_run_name__a_file_name_is_accepted(name: str):
    assert Config.model_validate({"run": {"name": name}}).run.name == name


@pytest.mark.parametrize("name", ["", "a/b", "..", "-x", "a b"])
def test_run_name__one_that_leaves_the_folder_is_refused(name: str):
    [sentence] = problems(run={"name": name})
    assert sentence == f"should be letters, digits, '.', '_' and '-', as in a file's name, got {name!r}"


@pytest.mark.parametrize(
    ("block", "sentence"),
    [
        ({"delte": 1}, "trl.delte: TRL's GRPOConfig has no such field; did you mean trl.delta?"),
        ({"qqqq": 1}, "trl.qqqq: TRL's GRPOConfig has no such field"),
        ({"max_prompt_length": 1}, "trl.max_prompt_length: TRL has removed it, and no prompt is cut"),
        # the nearest names are refused under trl: one is a key of ours, the others are decided
        (
            {"max_completion_leng": 1},
            "trl.max_completion_leng: TRL's GRPOConfig has no such field; did you mean trainer.max_completion_length?",
        ),
        ({"use_vlm": 1}, "trl.use_vlm: TRL's GRPOConfig has no such field"),
        ({"beta": 0.1}, "trl.beta: a key is set in one place only; set trainer.beta"),
        ({"output_dir": "x"}, "trl.output_dir: decided by Heed: set run.folder"),
        ({"report_to": "wandb"}, "trl.report_to: decided by Heed: set tracking.report_to"),
        ({"vllm_mode": "server"}, "trl.vllm_mode: decided by Heed: Heed samples the completions itself"),
        (
            {"top_p": 0.9},
            "trl.top_p: decided by Heed: completions are sampled from the policy's unfiltered distribution, whose "
            "log-probs the loss needs",
        ),
    ],
)
def test_trl_block__refused_keys_say_why(block: dict[str, object], sentence: str):
    assert problems(trl=block) == [sentence]


def test_trl_block__other_keys_pass():
    assert Config(trl={"delta": 1.5, "adam_beta2": 0.95}).trl == {"delta": 1.5, "adam_beta2": 0.95}
