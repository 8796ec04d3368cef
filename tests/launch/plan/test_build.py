"""Plans: sizes by hand, laws of the memory prediction, what is wrong, and savings that really help."""

import json
from dataclasses import replace

import pytest

from launch.plan.build import make_plan
from launch.plan.device import GIB, Device, machine_memory
from launch.plan.memory import host_bytes, memory_phases
from launch.plan.prompts import PromptLengths, prompt_lengths
from launch.plan.shape import shape_of
from launch.plan.show import plan_values, size
from launch.plan.sizes import batches, epochs
from launch.plan.unused import unused_settings
from launch.plan.workload import Workload
from launch.recipes import load_recipe, recipe_names
from rl.config.data import DataConfig
from rl.config.load import parse_config, with_overrides
from rl.config.root import Config
from rl.models.load import load_tokenizer
from tests.rl.thinking import save_thinking_model

CPU = Device(name="CPU", memory=8 * GIB, is_gpu=False, has_bf16=False)
GPU = Device(name="a GPU", memory=80 * GIB, is_gpu=True, has_bf16=True)
LENGTHS = PromptLengths(mean=20.0, longest=30, counted=True, num_problems=16)


def tiny_config(**sections) -> Config:
    """Two groups of four completions an update, of at most 12 tokens, on the tiny model; `sections` change keys."""
    tree = {
        "model": {"name": "tiny"},
        "data": {"num_problems": 8, "held_out": 0},
        "trainer": {
            "per_device_train_batch_size": 4,
            "gradient_accumulation_steps": 2,
            "num_generations": 4,
            "max_completion_length": 12,
            "max_steps": 4,
        },
    }
    return parse_config({**tree, **{name: {**tree.get(name, {}), **changes} for name, changes in sections.items()}})


def workload(**changes) -> Workload:
    return Workload(**{"shape": shape_of("tiny"), "dtype": "float32", "longest_prompt": 30, "device": CPU, **changes})


def parts(config: Config, phase: str, **changes) -> dict[str, int]:
    return {one.name: one.parts for one in memory_phases(config, workload(**changes))}[phase]


def test_memory_budget__is_a_gpu_or_a_ranks_share_of_the_machine():
    def budget(device: Device, **distributed) -> float:
        return make_plan(tiny_config(distributed=distributed), device).budget / GIB

    assert budget(GPU) == pytest.approx(72.0)
    assert budget(GPU, processes=2, launcher="ray", gpus=0.6) == pytest.approx(72.0), "Ray limits no memory"
    assert budget(CPU, processes=4, nodes=2) == pytest.approx(3.6)


def test_batches__by_hand():
    config = tiny_config(
        trainer={
            "per_device_train_batch_size": 4,
            "gradient_accumulation_steps": 2,
            "steps_per_generation": 4,
            "num_iterations": 2,
            "num_generations": 8,
            "max_completion_length": 10,
            "max_steps": 6,
        },
        distributed={"processes": 2},
    )
    # 4 rows a pass; 4 x 4 sampled by a rank; x 2 ranks; an update is 4 x 2 x 2; 6 updates use 96 rows, each twice
    rows = {
        batch.name.partition(",")[0]: (batch.prompts, batch.completions, batch.tokens)
        for batch in batches(config.trainer, 2, LENGTHS)
    }
    assert list(rows.values()) == [(0.5, 4, 120), (2, 16, 480), (4, 32, 960), (2, 16, 480), (6, 48, 1440)]
    assert epochs(config.trainer, 2, LENGTHS) == 6 / 16


def test_memory__of_a_quantized_base_is_its_packed_weights_and_one_matrix_in_full():
    config = tiny_config()
    quantized = workload(quantization="4bit")
    # 2 layers of 36,864 numbers in linear maps: half a byte each, a byte for 64, four for 16,384, and code books of
    # 256 + 1 + 16 numbers for each of the 14; everything else stays in float32
    packed = 73_728 // 2 + 73_728 // 64 + 14 * 4 + 14 * 4 * (256 + 1 + 16)
    assert quantized.weights == 4 * (shape_of("tiny").num_parameters - 73_728) + packed
    assert quantized.full_weights == workload().weights
    for name in ("train", "sample"):
        phases = {phase.name: phase.parts for phase in memory_phases(config, quantized)}
        assert phases[name]["unpacked weights"] == 4 * 64 * 128 and phases[name]["weights"] == quantized.weights


def test_resident_parts__by_hand():
    config = tiny_config(lora={"r": 4, "alpha": 8})
    # 4 x (in + out) of seven maps: 64+64, 2 x (64+32), 64+64, 3 x (64+128) = 1,024 a layer; two layers
    adapter = 4 * (4 * 1_024 * 2)
    trained = parts(config, "train")
    assert (trained["adapter"], trained["optimizer"], trained["gradients"]) == (adapter, 2 * adapter, adapter)
    assert trained["weights"] == 4 * shape_of("tiny").num_parameters
    # keys and values: 2 layers x 2 x 2 heads x 16 numbers x 4 bytes a token; 8 rows of 30 + 12 tokens
    assert parts(config, "sample")["kv cache"] == 8 * 42 * 512


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("stage", [1, 2, 3])
def test_resident_parts__each_stage_of_zero_shards_more(stage, dtype):
    shape, width = shape_of("tiny"), {"float32": 4, "bfloat16": 2}[dtype]
    config = tiny_config(lora={"r": 4, "alpha": 8}, distributed={"processes": 4, "zero": stage})
    trained = parts(config, "train", dtype=dtype)
    trainable = 4 * 1_024 * 2  # as above; DeepSpeed casts it to the model's type
    shards = 4 if stage == 3 else 1
    assert trained["weights"] == width * shape.num_parameters // shards
    assert trained["adapter"] == width * trainable // shards
    # a float32 copy and Adam's two states, a quarter on each rank
    assert trained["optimizer"] == (4 + 8) * trainable // 4
    assert trained["gradients"] == (width * trainable if stage == 1 else 4 * trainable // 4)
    # a bucket of all that is trained, far below DeepSpeed's default of half a billion numbers
    assert trained["buckets"] == width * trainable
    # all of the tiny model is below the billion that stage 3 gathers
    assert trained.get("gathered weights") == (width * shape.num_parameters if stage == 3 else None)


@pytest.mark.parametrize(
    ("stage", "moved"),
    [(1, {"optimizer"}), (2, {"optimizer", "gradients"}), (3, {"optimizer", "gradients", "weights", "adapter"})],
)
def test_resident_parts__what_is_offloaded_is_in_main_memory(stage, moved):
    here = parts(tiny_config(distributed={"processes": 4, "zero": stage}), "train", device=GPU)
    offloaded = tiny_config(distributed={"processes": 4, "zero": stage, "offload": True})
    there = parts(offloaded, "train", device=GPU)
    assert {name for name in here if here[name] and not there[name]} == moved
    # each of four ranks: three gigabytes of libraries and, more than what is offloaded, the model while it loads
    assert host_bytes(offloaded, workload(device=GPU)) == 4 * (3_000_000_000 + 4 * shape_of("tiny").num_parameters)


def test_num_trainable__of_routed_adapters_is_their_sum():
    alone = make_plan(tiny_config(lora={"r": 8, "alpha": 8}), GPU)
    data = {"path": None, "held_out": 0}
    routed = tiny_config(
        lora={"r": 8, "alpha": 8},
        data=data,
        routing={"adapters": ["upper", "lower"], "ranks": {"lower": 4}, "router": "fixed", "weights": {"upper": 1.0}},
    )
    plan = make_plan(routed, GPU)
    # ranks 8 + 4 instead of 8
    assert plan.trainable == alone.trainable * 12 // 8
    assert plan.sync_bytes == alone.sync_bytes * 12 // 8
    here, there = ({phase.name: phase.parts for phase in one.phases}["train"] for one in (alone, plan))
    assert all(there[name] == here[name] * 12 // 8 for name in ("adapter", "optimizer", "gradients"))


def test_chosen_dtype__bfloat16_from_ampere_on():
    turing = Device(name="Tesla T4 (sm_75)", memory=15 * GIB, is_gpu=True, has_bf16=False)
    assert make_plan(tiny_config(), turing).dtype == "float32"
    assert make_plan(tiny_config(), GPU).dtype == "bfloat16"
    (error,) = make_plan(tiny_config(model={"name": "tiny", "dtype": "bfloat16"}), turing).errors
    assert error.startswith("model.dtype=bfloat16 needs a GPU of the Ampere generation (sm_80) or later, and this is")
    assert error.endswith("Tesla T4 (sm_75); set model.dtype=float32, which takes twice the memory")


def test_plan__needs_main_memory_to_load_the_model():
    config = load_recipe("node-8gpu-7b")
    # 8 processes, each with 3 GB of libraries and 15,231,233,024 bytes of weights: 145.8 GB
    small, large = (replace(GPU, host_memory=memory * 10**9) for memory in (160, 170))
    assert make_plan(config, GPU).host_bytes == 8 * (3_000_000_000 + 15_231_233_024)
    # nine tenths of 160 GB are 144
    assert [make_plan(config, device).fits for device in (GPU, small, large)] == [True, False, True]


def test_activations__grow_with_rows_and_end_at_the_lowest_adapted_layer():
    lora, alone = {"target_modules": ["q_proj", "v_proj"]}, {"shared_prompts": False}
    whole = parts(tiny_config(lora=lora, trainer=alone), "train")["activations"]
    twice = tiny_config(lora=lora, trainer={"per_device_train_batch_size": 8, **alone})
    upper = tiny_config(lora={**lora, "layers": [1]}, trainer=alone)
    assert parts(twice, "train")["activations"] == 2 * whole
    assert parts(upper, "train")["activations"] == whole // 2


def test_memory_phases__with_checkpointing_and_bfloat16():
    config = tiny_config(model={"name": "smollm2-135m-instruct"})
    shape = shape_of("smollm2-135m-instruct")
    kept = parts(tiny_config(trainer={"gradient_checkpointing": True}), "train", shape=shape)["activations"]
    assert kept < parts(config, "train", shape=shape)["activations"] / 10
    assert parts(config, "train", shape=shape, dtype="bfloat16")["weights"] == 2 * shape.num_parameters


def test_savings__lower_the_peak_as_predicted():
    small = Device(name="CPU", memory=int(1.3e9), is_gpu=False, has_bf16=False)
    config = tiny_config(
        model={"name": "smollm2-135m-instruct"},
        trainer={"per_device_train_batch_size": 16, "max_completion_length": 64, "num_generations": 4},
    )
    plan = make_plan(config, small)
    assert not plan.fits and len(plan.savings) >= 4
    for saving in plan.savings:
        changed = make_plan(with_overrides(config, saving.overrides), small)
        assert (changed.peak, changed.fits) == (saving.peak, saving.fits)
        assert saving.peak < plan.peak


def test_savings__that_fit_come_first_and_a_plan_that_fits_has_none():
    plan = make_plan(load_recipe("quickstart"), Device(name="CPU", memory=int(4e9), is_gpu=False, has_bf16=True))
    fitting = [saving.fits for saving in plan.savings]
    assert fitting[0] and fitting == sorted(fitting, reverse=True)
    assert make_plan(load_recipe("quickstart"), CPU).savings == []


def test_make_plan__of_every_recipe_has_no_errors(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where one recipe's data lie
    rows = (json.dumps({"prompt": f"Plan a tour of {number} cities."}) for number in range(300))
    (tmp_path / "combinatorial.jsonl").write_text("\n".join(rows))
    configs = {name: load_recipe(name) for name in recipe_names()}
    assert {"quickstart", "laptop", "node-8gpu-7b", "two-nodes-7b"} <= configs.keys()
    for name, config in configs.items():
        assert config.algorithm == "dpo" or make_plan(config, GPU).errors == [], name


def test_make_plan__refuses_dpo():
    with pytest.raises(ValueError, match="counts GRPO's phases; algorithm=dpo"):
        make_plan(load_recipe("dpo"), GPU)


def test_shape_errors__a_sequence_too_long_for_the_model():
    plan = make_plan(load_recipe("tiny", ["trainer.max_completion_length=2048"]), CPU)
    (error,) = plan.errors
    assert error.startswith("trainer.max_completion_length=2048 after a prompt of ")
    assert "was made for 2048; lower it" in error


def test_shape_errors__probed_layers_that_do_not_exist():
    (error,) = make_plan(load_recipe("tiny", ["probe.layers=[1,2]"]), CPU).errors
    assert error == "probe.layers: [2] do not exist; tiny has layers 0 to 1"


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (
            ["credit.rule=global_anchor", "credit.alpha=0.4"],
            "credit.alpha=0.4 is unused: only credit.rule=coupled, combined, shuffled or all_heads reads it, and the "
            "rule is global_anchor",
        ),
        (["credit.rule=shuffled", "credit.base=local_chunk", "credit.reach=2"], "credit.reach=2 is unused: only"),
        (["credit.rule=uniform", "credit.q=0.2"], "credit.q=0.2 is unused: credit.rule=uniform weighs all tokens"),
        (["credit.rule=random", "probe.every=2"], "probe.every=2 is unused: nothing is recorded: credit.rule=random"),
        (["credit.faithfulness.draws=9"], "credit.faithfulness.draws=9 is unused: credit.faithfulness.every=0 never"),
        (["rewards.fluency=[-3.0,-9.0]"], "rewards.fluency=(-3.0, -9.0) is unused: the guard fluent is not among"),
        (["rewards.min_words=9"], "rewards.min_words=9 is unused: the guard length_floor is not among"),
        (["evaluation.batch_size=9", "data.held_out=0"], "evaluation.batch_size=9 is unused: there are no held-out"),
        (["distributed.zero=2"], "distributed.zero=2 is unused: one process has nothing to share"),
        (["tracking.project=mine"], "tracking.project='mine' is unused: tracking.report_to is empty"),
    ],
)
def test_unused_settings__name_what_nothing_reads(overrides, sentence):
    unused = unused_settings(load_recipe("tiny", overrides))
    assert [one for one in unused if one.startswith(sentence)], unused


@pytest.mark.parametrize(
    "overrides",
    [
        ["credit.rule=coupled", "credit.alpha=0.4", "rewards.guards=[length_floor]", "rewards.min_words=9"],
        ["distributed.processes=2", "distributed.zero=2"],
        ["distributed.zero=2", "distributed.offload=true"],
        ["evaluation.every=5"],
        ["credit.rule=combined", "credit.alpha=0.4", "credit.reach=2"],
        ["credit.rule=shuffled", "credit.alpha=0.4", "credit.reach=2"],
        ["credit.rule=all_heads", "probe.roles=roles.json", "credit.alpha=0.4", "credit.reach=2"],
        ["credit.rule=constraint", "credit.q=0.2", "probe.every=2"],
        ["credit.rule=uniform", "probe.listen=always", "probe.every=2", "probe.window=5"],
        ["credit.rule=coupled", "credit.faithfulness.every=10", "credit.faithfulness.draws=9"],
    ],
)
def test_unused_settings__leave_out_what_is_read(overrides):
    assert unused_settings(load_recipe("tiny", overrides)) == []


def test_prompt_lengths__are_counted_with_the_models_template(smollm2_path):
    from rl.datasets import load_problems
    from rl.models.load import load_tokenizer
    from rl.models.tokenization import encode_prompt

    data = DataConfig(num_problems=5, held_out=0)
    tokenizer = load_tokenizer(str(smollm2_path))
    lengths = [len(encode_prompt(tokenizer, list(problem.messages))) for problem in load_problems(data).train]
    counted = prompt_lengths(data, "smollm2-135m-instruct")
    assert (counted.longest, counted.mean, counted.counted) == (max(lengths), sum(lengths) / 5, True)
    assert counted.num_problems == 5


def test_prompt_lengths__without_a_tokenizer_are_estimated():
    assert not prompt_lengths(DataConfig(num_problems=3), "nobody/nothing").counted


def test_plan_values__add_up():
    values = plan_values(make_plan(load_recipe("tiny"), CPU))
    assert values["fits"] and values["errors"] == []
    assert values["peak"] == values["overhead"] + max(phase["total"] for phase in values["memory"].values())
    # the adapter in float32; two checkpoints with two Adam states each, and the final adapter
    assert values["sync_bytes"] == 4 * values["trainable"]
    assert values["checkpoint_bytes"] == 7 * values["sync_bytes"]


def test_machine_memory__of_a_container_may_be_less(tmp_path):
    limit = tmp_path / "memory.max"
    limit.write_text("1000000\n")
    assert machine_memory(limit) == 1_000_000
    limit.write_text("max\n")
    assert machine_memory(limit) == machine_memory(tmp_path / "absent") > 1_000_000


@pytest.mark.parametrize(
    ("count", "text"), [(999, "999 B"), (1_500, "1.5 kB"), (19_537_920, "19.5 MB"), (3.18e9, "3.18 GB")]
)
def test_size__in_powers_of_ten(count, text):
    assert size(int(count)) == text


def test_prompt_lengths__of_a_file_that_is_all_held_out_is_an_error(tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_text("\n".join(json.dumps({"prompt": f"Describe river {number}."}) for number in range(4)))
    assert prompt_lengths(DataConfig(path=str(path), held_out=3), "nobody/nothing").num_problems == 1
    with pytest.raises(ValueError, match=r"held_out=4 leaves nothing to train on: .*prompts.jsonl has 4 problems"):
        prompt_lengths(DataConfig(path=str(path), held_out=4), "nobody/nothing")


def test_prompt_lengths__are_those_of_prompts_with_the_template_values(tmp_path):
    name, data = save_thinking_model(tmp_path), DataConfig(num_problems=2, held_out=0)
    plain = prompt_lengths(data, name)
    closed = prompt_lengths(data, name, {"enable_thinking": False})
    tokenizer = load_tokenizer(name)
    assert closed.longest - plain.longest == len(tokenizer("<think>\n\n</think>\n\n")["input_ids"])
