"""Plans of GPUs: two recipes worked out by hand, workers on a rank's GPU, and recipes that fit the cards they name."""

import pytest

from launch.plan.build import make_plan
from launch.plan.device import GIB, Device
from launch.plan.memory import memory_phases
from launch.plan.sampling import workers_beside
from launch.plan.shape import shape_of
from launch.plan.workload import Workload
from launch.recipes import load_recipe
from rl.config.distributed import zero_bucket

GPU = Device(name="a GPU", memory=80 * GIB, is_gpu=True, has_bf16=True)
CARDS = [
    ("laptop", 24, True),
    ("gpu-24gb-1.5b", 22.5, True),  # what an L4 or an A10 has of its 24
    ("gpu-24gb-1.5b", 7, False),
    ("gpu-80gb-8b", 79, True),
    ("gpu-80gb-8b", 39, False),
    ("node-8gpu-7b", 44, True),  # what an L40S has of its 48
    ("node-8gpu-7b", 24, False),
    ("two-nodes-7b", 44, True),
]
"""Recipe, the GPU's memory in GiB, and whether it fits."""

# Qwen2.5-7B: 28 layers, hidden 3,584, intermediate 18,944, 28 heads and 4 key-value heads of 128, vocabulary 152,064.
WEIGHTS = 2 * 7_615_616_512
# r = 32 over in + out of q 7,168, k and v 4,096 each, o 7,168, gate, up and down 22,528 each: 90,112 a layer
TRAINABLE = 32 * 90_112 * 28
# one row of a shared prompt of 80 and 8 completions of 1,024, each with its own copy of the prompt's last token
TOKENS = 79 + 8 * 1_025
# keys and values of 28 layers, 4 heads of 128 in bfloat16
CACHE = 2 * 28 * 4 * 128 * 2
# a prompt's token: one factor of the gated part, the other with its adapter's part and their sum, the norms' two copies
PROMPT_TOKEN = 4 * 2 * 18_944 + 2 * 4 * 3_584
# the adapter in bfloat16, beside its float32
COPIES = {"autocast copies": 2 * TRAINABLE}
# kept of a token and layer: two norms in float32; q, k, v, output and mask, log-sum-exp of each head; the gated part
NORMS, ATTENTION, GATED = 2 * 3_585 * 4, (4 * 3_584 + TOKENS) * 2 + 28 * 4, 3 * 18_944 * 2


def phases(recipe: str, *overrides: str, longest_prompt: int = 80) -> dict[str, dict[str, int]]:
    config = load_recipe(recipe, overrides)
    shape = shape_of(config.model.name)
    workload = Workload(shape=shape, dtype="bfloat16", longest_prompt=longest_prompt, device=GPU)
    return {phase.name: phase.parts for phase in memory_phases(config, workload)}


def test_memory_phases__of_node_8gpu_7b_by_hand():
    planned = phases("node-8gpu-7b")
    assert TRAINABLE == 80_740_352
    resident = {
        "weights": WEIGHTS,  # 15.23 GB
        "adapter": 4 * TRAINABLE,  # 323 MB, in float32
        "optimizer": 8 * TRAINABLE,  # 646 MB, Adam's two states
        "buckets": 4 * TRAINABLE,  # 323 MB, DDP's copy of the gradients
        "nccl": 700_000_000,
    }
    # 8 groups of 8 rows: 4.05 GB; the tokens' logits, 24 bytes a word, are more than the pass over the 8 prompts
    sampled = {"kv cache": 64 * 1_104 * CACHE, "decoding": 64 * 152_064 * 24}
    assert sampled == {"kv cache": 4_051_697_664, "decoding": 233_570_304} and 8 * 80 * PROMPT_TOKEN < 233_570_304
    assert planned["sample"] == resident | COPIES | sampled | {"gaps": 444_674_867}  # a tenth of what comes and goes

    # every adapter keeps a copy of its input, six of 3,584 and one of 18,944, and its 32 inner numbers
    layer = NORMS + ATTENTION + GATED + 2 * (6 * 3_584 + 18_944 + 7 * 32)
    assert layer == 28_680 + 45_342 + 113_664 + 81_344
    trained = {
        "gradients": 4 * TRAINABLE,
        # the inputs of 28 layers, and all of the one that is computed again: 3.89 GB
        "activations": TOKENS * (28 * 3_584 * 2 + layer),
        **COPIES,  # 161 MB
        # one layer's gradients: 1.36 GB; more than the loss (0.50 GB) and the probe's 512 rows of attention (1.01 GB)
        "passing": TOKENS * (14 * 3_584 + (4 + 2) * 18_944),
    }
    assert trained["activations"] == 3_888_927_786
    assert trained["passing"] == 1_356_431_360 > 4_096 * 32_768 * 2 + 8_192 * 3_584 * (2 + 4 + 2)
    assert planned["train"] == resident | trained | {"gaps": 572_980_126}

    # 48 held-out prompts, each once; here the pass over the prompts is more than the logits
    scored = {"kv cache": 48 * 1_104 * CACHE, "decoding": 48 * 80 * PROMPT_TOKEN}
    assert planned["score"] == resident | COPIES | scored | {"gaps": 389_231_411}
    # training is the peak: 17.22 GB that stay, 5.73 that come and go, 0.57 of gaps, and 1 GB of CUDA's own
    assert GPU.overhead + sum(planned["train"].values()) == 24_525_860_040


def test_memory_phases__of_two_nodes_7b_by_hand():
    planned = phases("two-nodes-7b")
    resident = {
        "weights": WEIGHTS,
        "adapter": 2 * TRAINABLE,  # DeepSpeed casts it to bfloat16
        "optimizer": 60_555_264,  # a float32 copy and Adam's two states, 12 bytes a number, over 16 ranks
        "nccl": 700_000_000,
    }
    # adapters in bfloat16 cast nothing: q, k and v keep one input, gate and up one, o none beside attention's output
    layer = NORMS + ATTENTION + GATED + 2 * (2 * 3_584 + 18_944 + 7 * 32)
    trained = {
        "gradients": 20_185_088,  # 4 bytes a number over 16 ranks
        "activations": TOKENS * (28 * 3_584 * 2 + layer),  # 3.65 GB
        "buckets": 2 * TRAINABLE,  # sized to the adapter; DeepSpeed's own would be 1 GB
        # the probe's 512 rows of attention of 8 x 28 heads, twice in float32; a layer's gradients are 0.81 GB
        "passing": 8 * 28 * 512 * 1_104 * 2 * 4,
    }
    assert trained["passing"] == 1_012_924_416 > TOKENS * (6 * 3_584 + 2 * 2 * 18_944)
    assert planned["train"] == resident | trained | {"gaps": 484_614_251}
    assert GPU.overhead + sum(planned["train"].values()) == 22_484_025_749


def test_memory_phases__zero_3_shards_weights_and_gathers_a_billion_numbers():
    planned = phases("two-nodes-7b", "distributed.zero=3")["train"]
    assert planned["weights"] == WEIGHTS // 16 and planned["gathered weights"] == 2 * 1_000_000_000


def test_memory_phases__a_worker_beside_the_rank_keeps_its_peak():
    alone = phases("node-8gpu-7b")
    shared = phases("node-8gpu-7b", "rollouts.workers=8", "rollouts.gpus=0.4")
    assert shared.keys() == {"train", "score"}, "the worker samples, not the rank"
    # its CUDA context, the model, the adapter in float32 and in bfloat16, and what the rank needed to sample
    worker = 1_000_000_000 + WEIGHTS + (4 + 2) * TRAINABLE + 4_051_697_664 + 233_570_304 + 444_674_867
    assert shared["train"] == alone["train"] | {"workers": worker}
    assert shared["score"] == alone["score"] | {"workers": worker}


def test_memory_phases__a_worker_with_its_own_gpu_is_a_phase_of_that():
    planned = phases("node-8gpu-7b", "rollouts.workers=8", "rollouts.gpus=1")
    assert planned["worker"].keys() == {"weights", "adapter", "autocast copies", "kv cache", "decoding", "gaps"}
    assert planned["train"] == phases("node-8gpu-7b")["train"]


VLLM = ["rollouts.workers=8", "rollouts.engine=vllm"]


def test_make_plan__vllm_takes_its_share_of_the_ranks_gpu_whatever_it_needs():
    plan = make_plan(load_recipe("node-8gpu-7b", [*VLLM, "rollouts.gpus=0.4"]), GPU)
    assert plan.phases[0].parts["workers"] == int(0.4 * 80 * GIB)
    assert plan.fits and plan.errors == []


def test_make_plan__vllm_that_takes_too_much_beside_a_rank_is_told_what_fits():
    greedy = [*VLLM, "rollouts.gpus=0.4", "rollouts.vllm.gpu_memory_utilization=0.92"]
    plan = make_plan(load_recipe("node-8gpu-7b", greedy), GPU)
    assert plan.phases[0].parts["workers"] == int(0.92 * 80 * GIB)
    assert not plan.fits
    (share,) = [saving for saving in plan.savings if "utilization" in saving.overrides[0]]
    assert share.fits
    smaller = make_plan(load_recipe("node-8gpu-7b", [*greedy, *share.overrides]), GPU)
    assert smaller.fits and smaller.errors == []
    # another hundredth of the card would not fit
    assert smaller.budget - smaller.peak < 0.01 * 80 * GIB


def test_make_plan__refuses_a_share_with_which_vllm_cannot_start():
    # 15.2 GB of weights, 1 of its context, the adapter, and one row of the model's 32,768 tokens
    needed = 1_000_000_000 + WEIGHTS + 4 * TRAINABLE + 32_768 * CACHE
    least = -(-100 * needed // (80 * GIB)) / 100
    small = [*VLLM, "rollouts.gpus=0.4", "rollouts.vllm.gpu_memory_utilization=0.15"]
    (error,) = make_plan(load_recipe("node-8gpu-7b", small), GPU).errors
    assert error.startswith("vLLM takes 0.15 of the GPU, 12.0 GiB, but needs")
    assert f"rollouts.vllm.gpu_memory_utilization to at least {least:g}, or" in error
    enough = [*small, f"rollouts.vllm.gpu_memory_utilization={least}"]
    assert make_plan(load_recipe("node-8gpu-7b", enough), GPU).errors == []


def test_make_plan__vllm_shards_a_model_that_no_gpu_of_a_worker_could_hold():
    small = Device(name="a GPU", memory=12 * GIB, is_gpu=True, has_bf16=True)
    cluster = [*VLLM, "rollouts.address=auto", "rollouts.vllm.max_model_len=2048"]
    (whole,) = make_plan(load_recipe("node-8gpu-7b", [*cluster, "rollouts.gpus=1"]), small).errors
    assert "vLLM takes 0.92 of the GPU, 11.0 GiB, but needs 15.5 for the weights" in whole
    assert "shard it by rollouts.vllm.tensor_parallel_size=2 and rollouts.gpus=2 on a cluster" in whole
    sharded = [*cluster, "rollouts.gpus=2", "rollouts.vllm.tensor_parallel_size=2"]
    plan = make_plan(load_recipe("node-8gpu-7b", sharded), small)
    assert plan.errors == []
    (worker,) = [phase for phase in plan.phases if phase.name == "worker"]
    # of 2 GPUs each: half the weights, of the adapter in float32, and of the cache of one row
    assert worker.parts == {"weights": WEIGHTS // 2, "adapter": 2 * TRAINABLE, "kv cache": 2_048 * CACHE // 2}


@pytest.mark.parametrize(
    ("overrides", "beside"),
    [
        (["rollouts.workers=0"], 0),
        (["rollouts.workers=8"], 1),
        (["rollouts.workers=9"], 2),
        (["rollouts.workers=8", "rollouts.gpus=0.4"], 1),
        (["rollouts.workers=8", "rollouts.gpus=1.0"], 0),
        # with Ray Train, a rank's reservation decides how much is left
        (["rollouts.workers=24", "rollouts.gpus=0.2", "distributed.launcher=ray", "distributed.gpus=0.6"], 2),
        (["rollouts.workers=8", "rollouts.gpus=0.2", "distributed.launcher=ray"], 0),
    ],
)
def test_workers_beside__a_rank_by_the_shares_of_its_gpu(overrides, beside, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert workers_beside(load_recipe("node-8gpu-7b", overrides), GPU) == beside


def test_workers_beside__none_on_the_cluster_that_ray_address_names(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    # that Ray gives each rank a whole GPU, so that its workers get others
    assert workers_beside(load_recipe("node-8gpu-7b", ["rollouts.workers=8", "rollouts.gpus=0.4"]), GPU) == 0


@pytest.mark.parametrize(("trained", "bucket"), [(80_740_352, 80_740_352), (600_000_000, 500_000_000)])
def test_zero_bucket__holds_what_is_trained_and_no_more_than_deepspeeds(trained, bucket):
    assert zero_bucket(trained) == bucket


@pytest.mark.parametrize(("recipe", "gib", "fits"), CARDS)
def test_recipes__fit_the_cards_that_they_are_for(recipe, gib, fits):
    plan = make_plan(load_recipe(recipe), Device(name="", memory=int(gib * GIB), is_gpu=True, has_bf16=True))
    assert plan.errors == [] and plan.fits == fits
    assert fits or plan.savings


@pytest.mark.parametrize("recipe", ["gpu-24gb-1.5b", "gpu-80gb-8b"])
def test_recipes__for_gpus_pass_a_dry_run(recipe, capsys):
    from launch.cli.main import main

    with pytest.raises(SystemExit) as stop:
        main(["train", recipe, "--dry-run"])
    assert stop.value.code in (0, None)
    assert f"name: {recipe}" in capsys.readouterr().out
