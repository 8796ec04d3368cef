"""Loading a config: recipes, overrides, error messages, and what a resume may change."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launch.recipes import load_recipe, recipe_names
from rl.common.errors import UserError
from rl.config.load import flat, load_run_config, parse_config, resolved_yaml
from rl.config.root import Config

MODEL_KEYS = "allowed here: name, dtype, quantization, calibration, chat_template_kwargs, reasoning"


def refusal(*overrides: str, recipe: str = "tiny") -> list[str]:
    """Return the error message, line by line."""
    with pytest.raises(ValueError) as caught:
        load_recipe(recipe, overrides)
    return str(caught.value).splitlines()


def saved_run(folder: Path, *overrides: str) -> Path:
    folder.mkdir()
    (folder / "config.yaml").write_text(resolved_yaml(load_recipe("tiny", overrides)), encoding="utf-8")
    return folder


@pytest.mark.parametrize("recipe", recipe_names())
def test_load_recipe__every_built_in_recipe_loads(recipe: str):
    assert isinstance(load_recipe(recipe), Config)


def test_overrides__win_over_the_recipe_and_leave_the_rest(tmp_path: Path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("trainer: {learning_rate: 1e-4, max_steps: 7}\nprobe: {horizon: [2, 9]}\n", encoding="utf-8")
    config = load_recipe(str(recipe), ["trainer.max_steps=9", "trainer.max_steps=11", "probe.horizon=[3,4]"])
    assert (config.trainer.learning_rate, config.trainer.max_steps, config.probe.horizon) == (1e-4, 11, (3, 4))


def test_overrides__values_are_yaml():
    config = load_recipe(
        "tiny",
        [
            "trainer.learning_rate=1e-5",
            "credit.preserve_mass=false",
            "run.folder=out",
            "lora.target_modules=[q_proj]",
            "trl.lr_scheduler_kwargs={num_cycles: 2}",
            "trl.adam_beta2=0.9",
            "data.path=null",
            "model.name=a=b",
        ],
    )
    assert config.trainer.learning_rate == 1e-5
    assert config.credit.preserve_mass is False
    assert config.run.folder == Path("out")
    assert config.lora.target_modules == ("q_proj",)
    assert config.trl == {"lr_scheduler_kwargs": {"num_cycles": 2}, "adam_beta2": 0.9}
    assert config.data.path is None
    assert config.model.name == "a=b"


def test_overrides__interpolation_is_left_as_it_is_written(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SECRET", "leaked")
    assert load_recipe("tiny", ["model.name=${oc.env:SECRET}"]).model.name == "${oc.env:SECRET}"


def written(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_load_recipe__takes_variables_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HEED_TEST_STEPS", "7")
    monkeypatch.setenv("HEED_TEST_NAME", "night")
    monkeypatch.delenv("HEED_TEST_ABSENT", raising=False)
    recipe = """
run: {name: "run-${oc.env:HEED_TEST_NAME}-${oc.env:HEED_TEST_STEPS}"}
trainer: {max_steps: "${oc.env:HEED_TEST_STEPS}", learning_rate: "${oc.env:HEED_TEST_ABSENT,1e-4}"}
rewards: {functions: ["${oc.env:HEED_TEST_ABSENT,mine}.py:reward"]}
data: {path: "${oc.env:HEED_TEST_ABSENT,null}"}
"""
    config = load_recipe(written(tmp_path / "mine.yaml", recipe))
    assert (config.run.name, config.trainer.max_steps, config.trainer.learning_rate) == ("run-night-7", 7, 1e-4)
    assert (config.rewards.functions, config.data.path) == (("mine.py:reward",), None)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (
            "${oc.env:HEED_TEST_ABSENT}/x.jsonl",
            "data.path: the environment variable HEED_TEST_ABSENT is not set; set it, or give a default: "
            "${oc.env:HEED_TEST_ABSENT,default}",
        ),
        (
            "${oc.decode:${oc.env:HOME}}",
            "data.path: only ${oc.env:NAME} and ${oc.env:NAME,default} are replaced, got '${oc.decode:${oc.env:HOME}}'",
        ),
        ("${run.name}", "data.path: only ${oc.env:NAME} and ${oc.env:NAME,default} are replaced, got '${run.name}'"),
    ],
)
def test_load_recipe__names_the_setting_whose_variable_is_missing(value: str, sentence: str, tmp_path: Path):
    assert refusal(recipe=written(tmp_path / "mine.yaml", f'data: {{path: "{value}"}}')) == [sentence]


def test_load_recipe__home_stands_for_its_sign_in_every_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    written(tmp_path / "mine.yaml", "data: {path: ~/rows.jsonl}\n")
    config = load_recipe("~/mine.yaml", ["run.folder=~/run", "rewards.functions=[~/mine.py:reward]", "model.name=~/m"])
    assert (config.data.path, config.run.folder) == (f"{tmp_path}/rows.jsonl", tmp_path / "run")
    assert (config.rewards.functions, config.model.name) == ((f"{tmp_path}/mine.py:reward",), f"{tmp_path}/m")
    run = saved_run(tmp_path / "saved")
    assert load_recipe("tiny", ["resume=~/saved"]).resume == run


def test_load_recipe__may_begin_with_a_byte_order_mark(tmp_path: Path):
    assert load_recipe(written(tmp_path / "mine.yaml", "\ufefftrainer: {max_steps: 7}\n")).trainer.max_steps == 7


def test_load_recipe__whole_floats_are_integers():
    config = load_recipe(
        "tiny", ["trainer.max_steps=3.0", "lora.layers=[0.0, 1]", "lora.target_modules=[q_proj]", "trainer.beta=1.0"]
    )
    assert (config.trainer.max_steps, config.lora.layers, config.trainer.beta) == (3, (0, 1), 1.0)
    assert type(config.trainer.beta) is float


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("trainer.lerning_rate=1", "trainer.lerning_rate: unknown key; did you mean trainer.learning_rate?"),
        ("trainr.max_steps=1", "trainr: unknown key; did you mean trainer?"),
        (
            "rewards.balance.length.speeed=2",
            "rewards.balance.length.speeed: unknown key; did you mean rewards.balance.length.speed?",
        ),
        ("rewards.balance.length=3", "rewards.balance.length: should be a group of settings, got 3"),
        ("learning_rate=1", "learning_rate: unknown key; did you mean trainer.learning_rate?"),
        ("trainer.output_dir=x", "trainer.output_dir: unknown key; decided by Heed: set run.folder"),
        (
            "trainer.max_prompt_length=5",
            "trainer.max_prompt_length: unknown key; TRL has removed it, and no prompt is cut",
        ),
        ("trainer.rule=random", "trainer.rule: unknown key; did you mean credit.rule?"),
        (
            "trainer.delta=1",
            "trainer.delta: unknown key; TRL's other settings go under trl; did you mean trl.delta?",
        ),
        ("model.colour=red", f"model.colour: unknown key; {MODEL_KEYS}"),
        ("trainer.max_steps=many", "trainer.max_steps: should be a valid integer, got 'many'"),
        (
            "trainer.max_steps=3.5",
            "trainer.max_steps: should be a valid integer, got 3.5",
        ),
        ("trainer.max_steps='3'", "trainer.max_steps: should be a valid integer, got '3'"),
        ("trainer.max_steps=0", "trainer.max_steps: should be greater than or equal to 1, got 0"),
        ("trainer.max_steps=", "trainer.max_steps: should be a valid integer, got null"),
        ("trainer.beta=.nan", "trainer.beta: should be a finite number, got nan"),
        ("credit.preserve_mass=1", "credit.preserve_mass: should be a valid boolean, got 1"),
        ("model.name=true", "model.name: should be a valid string, got true"),
        ("model=3", "model: should be a group of settings, got 3"),
        ("trl=3", "trl: should be a group of settings, got 3"),
        (
            "credit.rule=anchor",
            "credit.rule: should be 'uniform', 'global_anchor', 'local_chunk', 'coupled', 'constraint', 'combined', "
            "'random', 'shuffled', 'position', 'entropy', 'bottom' or 'all_heads' or should be "
            "path/to/file.py:function, got 'anchor'",
        ),
        (
            "model.dtype=bloat16",
            "model.dtype: should be 'auto', 'float32' or 'bfloat16', got 'bloat16'; did you mean 'bfloat16'?",
        ),
        ("lora.target_modules=3", "lora.target_modules: should be a valid string or should be a list, got 3"),
        ("lora.target_modules=[q_proj,3]", "lora.target_modules[1]: should be a valid string, got 3"),
        ("probe.horizon=[5]", "probe.horizon[1]: is missing, got [5]"),
        ("probe.horizon=[1,2,3]", "probe.horizon: should have at most 2 items, not 3, got [1, 2, 3]"),
        ("data.kinds=[]", "data.kinds: should have at least 1 item, not 0, got []"),
        ("rewards.functions=[mine]", "rewards.functions[0]: should be path/to/file.py:function, got 'mine'"),
        (
            "trainer.num_generations=1",
            "trainer.num_generations: got 1, but GRPO compares the completions of a prompt with each other; set 2 or "
            "more",
        ),
        ("credit.calm_quantile=0.3", "credit.calm_quantile is now called credit.waad_quantile"),
        ("credit.jump_quantile=0.3", "credit.jump_quantile is now called credit.delta_quantile"),
        ("rewards.guards=[own_words]", "rewards.guards[0]: 'own_words' is now called 'not_echo'"),
        ("trl.optimm=adamw", "trl.optimm: TRL's GRPOConfig has no such field; did you mean trl.optim?"),
        ("trainer.max_steps", "override 'trainer.max_steps' should look like trainer.learning_rate=1e-5"),
        ("trainer..seed=1", "override 'trainer..seed=1' should look like trainer.learning_rate=1e-5"),
    ],
)
def test_errors__each_is_one_sentence(override: str, sentence: str):
    [message] = refusal(override)
    assert message.removesuffix("; did you mean 'global_anchor'?") == sentence


def test_errors__all_are_listed():
    assert refusal("trainer.max_steps=many", "lora.rank=8", "trl.top_k=5", "trl.beta=1") == [
        "trainer.max_steps: should be a valid integer, got 'many'",
        "lora.rank: unknown key; allowed here: r, alpha, dropout, target_modules, exclude_modules, layers, "
        "use_rslora, use_dora, start",
        "trl.top_k: decided by Heed: completions are sampled from the policy's unfiltered distribution, whose "
        "log-probs the loss needs",
        "trl.beta: a key is set in one place only; set trainer.beta",
    ]


def test_errors__all_contradictions_are_listed():
    messages = refusal("probe.horizon=[9,3]", "trainer.epsilon_high=0.1")
    assert [line.partition("=")[0] for line in messages] == ["trainer.epsilon_high", "probe.horizon"]


def test_errors__an_unknown_kind_names_the_nearest():
    [message] = refusal("data.kinds=[punctuation:no_commas]")
    assert message.startswith("data.kinds: unknown constraint kind 'punctuation:no_commas'; the nearest is")
    assert "'punctuation:no_comma'" in message


def test_load_recipe__an_unknown_one_names_the_nearest():
    with pytest.raises(FileNotFoundError) as caught:
        load_recipe("tinny")
    assert str(caught.value) == (
        f"unknown recipe 'tinny'; did you mean tiny? (recipes: {', '.join(recipe_names())}; "
        "a file of your own ends in .yaml)"
    )


def test_load_recipe__a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match=r"^there is no recipe file missing/x\.yaml$"):
        load_recipe("missing/x.yaml")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"- 1\n- 2\n", "got a list"),
        (b"model: {name: a}\nmodel: {name: b}\n", "found duplicate key model"),
        (b"model: [\n", "while parsing"),
        (b"\xff\xfe\x00", "'utf-8' codec can't decode"),
        (b"model: !!python/object:os.system 1\n", "could not determine a constructor"),
    ],
)
def test_load_recipe__a_file_without_settings_is_named(tmp_path: Path, content: bytes, reason: str):
    recipe = tmp_path / "mine.yaml"
    recipe.write_bytes(content)
    [message] = refusal(recipe=str(recipe))
    assert message.startswith(f"{recipe} is not a YAML file of settings: ")
    assert reason in message


@pytest.mark.parametrize("content", ["", "# nothing but a comment\n"])
def test_load_recipe__an_empty_file_gives_the_defaults(tmp_path: Path, content: str):
    (tmp_path / "mine.yaml").write_text(content, encoding="utf-8")
    assert load_recipe(str(tmp_path / "mine.yaml")) == Config()


LOOKALIKES = st.sampled_from(["1e-5", "null", "~", "yes", "12:30:00", "0o17", "1_000", "2024-01-01", "", " a", "a: b"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | LOOKALIKES
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="$"))


@settings(deadline=None, max_examples=25)
@given(
    rate=st.floats(min_value=0.0, exclude_min=True, allow_infinity=False),
    folder=st.none() | LOOKALIKES.map(Path),
    extra=st.dictionaries(st.sampled_from(["delta", "optim_args", "debug"]), SCALARS | TEXTS | st.lists(SCALARS)),
)
def test_resolved_yaml__loads_back_to_an_equal_config(rate: float, folder: Path | None, extra: dict[str, object]):
    config = Config.model_validate({"trainer": {"learning_rate": rate}, "run": {"folder": folder}, "trl": extra})
    with tempfile.TemporaryDirectory() as run:
        Path(run, "config.yaml").write_text(resolved_yaml(config), encoding="utf-8")
        assert load_run_config(Path(run)) == config


def test_resume__takes_the_settings_of_the_run(tmp_path: Path):
    run = saved_run(tmp_path / "run", "trainer.beta=0.25", "trl.delta=2.0")
    resumed = load_recipe("tiny", [f"resume={run}", "trainer.max_steps=50"])
    assert (resumed.trainer.beta, resumed.trl) == (0.25, {"delta": 2.0})
    assert (resumed.trainer.max_steps, resumed.resume) == (50, run)


def test_flat__names_every_setting_and_keeps_mappings_together():
    config = parse_config({"rollouts": {"resources": {"node": 1.0}}, "trl": {"delta": 2.0}, "run": {"folder": "a"}})
    settings = dict(flat(config))
    assert settings["rollouts.vllm.max_model_len"] is settings["resume"] is None
    assert settings["rollouts.resources"] == {"node": 1.0}
    assert (settings["trl"], settings["run.folder"]) == ({"delta": 2.0}, "a")
    assert not {"rollouts", "rollouts.vllm"} & settings.keys()


def test_resume__may_give_vllm_other_memory(tmp_path: Path):
    settings = ["rollouts.engine=vllm", "rollouts.workers=1", "rollouts.vllm.max_model_len=512"]
    run = saved_run(tmp_path / "run", *settings)
    changes = ["rollouts.vllm.gpu_memory_utilization=0.5", "rollouts.vllm.max_model_len=1024"]
    vllm = load_recipe(f"{run}/config.yaml", [f"resume={run}", *changes]).rollouts.vllm
    assert (vllm.gpu_memory_utilization, vllm.max_model_len) == (0.5, 1024)
    with pytest.raises(UserError, match=r"rollouts\.vllm\.quantization: the run has None, not 'awq'"):
        load_recipe(f"{run}/config.yaml", [f"resume={run}", "rollouts.vllm.quantization=awq"])


def test_resume__refuses_to_change_the_experiment(tmp_path: Path):
    run = saved_run(tmp_path / "run", "trainer.learning_rate=1e-4")
    assert refusal(f"resume={run}", "trainer.max_steps=50", "trl.delta=2.0") == [
        # the recipe states learning_rate, so it too asks for another value than the run's
        "trainer.learning_rate: the run has 0.0001, not 0.001",
        "trl: the run has {}, not {'delta': 2.0}",
        "A resumed run may change only distributed.cpus, distributed.gpus, distributed.launcher, distributed.nodes, "
        "distributed.restarts, rollouts.adapter_folder, rollouts.address, rollouts.cpus, rollouts.gpus, "
        "rollouts.max_dropped, rollouts.object_store_mb, rollouts.resources, rollouts.start_limit, "
        "rollouts.time_limit, rollouts.tries, rollouts.url, rollouts.vllm.gpu_memory_utilization, "
        "rollouts.vllm.kv_cache_memory_bytes, rollouts.vllm.max_model_len, rollouts.workers, run.accept_changed_code, "
        "run.grace, run.rebuild_ledger, tracking.project, tracking.report_to, trainer.max_steps, "
        "trainer.num_train_epochs, trainer.save_steps, trainer.save_total_limit; "
        f"`heed resume {run}` keeps its settings",
    ]
    assert load_recipe(f"{run}/config.yaml", [f"resume={run}"]).trainer.learning_rate == 1e-4


def test_resume__refuses_a_folder_that_is_not_a_run(tmp_path: Path):
    with pytest.raises(FileNotFoundError) as caught:
        load_recipe("tiny", [f"resume={tmp_path}"])
    assert str(caught.value) == f"{tmp_path} is not a run folder: it has no config.yaml"


def test_resume__names_the_file_of_another_version(tmp_path: Path):
    (tmp_path / "config.yaml").write_text("model: {flavour: sour}\n", encoding="utf-8")
    assert refusal(f"resume={tmp_path}") == [
        f"{tmp_path}/config.yaml does not fit this version of Heed:",
        f"model.flavour: unknown key; {MODEL_KEYS}",
    ]


def test_resume__may_change_the_workers_but_not_the_samples(tmp_path):
    run = saved_run(tmp_path / "run")
    recipe, resume = f"{run}/config.yaml", f"resume={run}"
    assert load_recipe(recipe, [resume, "rollouts.workers=2", "rollouts.time_limit=9"]).rollouts.workers == 2
    with pytest.raises(ValueError, match=r"rollouts.groups_per_unit: the run has None, not 1"):
        load_recipe(recipe, [resume, "rollouts.groups_per_unit=1"])
