"""Device metrics: TRL's metrics are the same numbers, whether each is fetched at once or all of them together."""

from tests.rl.dpo_fixtures import credit_dpo_trainer, plain_dpo_config, plain_dpo_trainer, write_pairs
from tests.rl.grpo_fixtures import credit_trainer, plain_config, plain_trainer

CLOCKS = ("step_time", "sync/wait_seconds", "sync/sampling_seconds")


def trained(trainer):
    """Train at once: the seed is set when a trainer is built."""
    trainer.train()
    return trainer


def metrics(trainer) -> list[dict[str, float]]:
    """Return what a training has logged, without times."""
    history = [line for line in trainer.state.log_history if "loss" in line]
    return [{name: value for name, value in line.items() if name not in CLOCKS} for line in history]


def test_grpo__logs_the_numbers_of_trl(tmp_path):
    config = plain_config(trainer={"num_iterations": 2, "logging_steps": 2})
    ours, trls = trained(credit_trainer(config, tmp_path / "ours")), trained(plain_trainer(config, tmp_path / "trl"))
    assert len(metrics(trls)) == 2 and {"entropy", "kl", "clip_ratio/low_min", "reward"} <= metrics(trls)[0].keys()
    for line, expected in zip(metrics(ours), metrics(trls), strict=True):
        assert {name: line[name] for name in expected} == expected
    assert "gather" not in vars(ours.accelerator)


def test_dpo__logs_the_numbers_of_trl(tmp_path):
    config = plain_dpo_config(write_pairs(tmp_path))
    ours = trained(credit_dpo_trainer(config, tmp_path / "ours"))
    trls = trained(plain_dpo_trainer(config, tmp_path / "trl"))
    assert len(metrics(trls)) == 3 and {"rewards/margins", "logps/chosen", "entropy"} <= metrics(trls)[0].keys()
    for line, expected in zip(metrics(ours), metrics(trls), strict=True):
        assert {name: line[name] for name in expected} == expected
