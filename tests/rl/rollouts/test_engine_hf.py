"""The transformers engine: what a request's tokens depend on, and which log-probs they come with."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedModel

from attention_probes.calibration import Calibration
from attention_probes.sink_calibrator import calibrate
from rl.models.load import load_model, load_tokenizer
from rl.models.logprobs import token_logprobs
from rl.rollouts.engine_hf import TransformersEngine
from rl.rollouts.generation import GenerationConfig
from rl.rollouts.types import RolloutRequest, Sample

# Prompts of different lengths, so that all but the longest are padded on the left.
PROMPTS = ((17, 30, 200, 41, 99, 3), (88, 9), (301,))
REQUEST = RolloutRequest(position=4, prompts=PROMPTS, num_generations=2, version=1, seed=0)
SHAPES = ["llama", "gpt2"]


def make_model(shape: str = "llama") -> PreTrainedModel:
    if shape == "llama":
        return load_model("tiny")
    torch.manual_seed(0)
    # GPT-2 learns absolute positions: a padded prompt that started to count at its padding would show.
    config = GPT2Config(
        vocab_size=512,
        n_embd=32,
        n_layer=2,
        n_head=4,
        n_positions=64,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        initializer_range=0.2,
    )
    return GPT2LMHeadModel(config).eval()


def make_engine(model: PreTrainedModel, *, temperature: float = 1.0, length: int = 12) -> TransformersEngine:
    generation = GenerationConfig(temperature=temperature, max_completion_length=length)
    return TransformersEngine(model, load_tokenizer("tiny"), generation)


@contextmanager
def end_tokens(model: PreTrainedModel, tokens: int | list[int]) -> Iterator[None]:
    """The model's end-of-text tokens, for a while."""
    before = model.generation_config.eos_token_id
    model.generation_config.eos_token_id = tokens
    try:
        yield
    finally:
        model.generation_config.eos_token_id = before


@torch.no_grad()
def teacher_forced(model: PreTrainedModel, sample: Sample, *, temperature: float) -> Tensor:
    """Log-probs of the completion from one plain forward pass over the unpadded sequence."""
    ids = torch.tensor([sample.prompt_ids + sample.completion_ids])
    logprobs = torch.log_softmax(model(input_ids=ids).logits[0, :-1].float() / temperature, dim=-1)
    return logprobs.gather(1, ids[0, 1:, None]).squeeze(1)[len(sample.prompt_ids) - 1 :]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_logprobs__are_of_the_tempered_unfiltered_distribution(shape, temperature):
    model = make_model(shape)
    samples = make_engine(model, temperature=temperature).sample(REQUEST)
    assert len(samples) == 6
    for sample in samples:
        expected = teacher_forced(model, sample, temperature=temperature)
        assert sample.logprobs == pytest.approx(expected.tolist(), abs=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_temperature_zero__equals_plain_generate(shape):
    model = make_model(shape)
    samples = make_engine(model, temperature=0.0).sample(REQUEST)
    for prompt, sample in zip(PROMPTS, samples[::2], strict=True):
        plain = model.generate(torch.tensor([prompt]), do_sample=False, max_new_tokens=12, pad_token_id=0)
        assert list(sample.completion_ids) == plain[0, len(prompt) :].tolist()


def test_samples__come_num_generations_a_group_and_differ():
    samples = make_engine(make_model()).sample(REQUEST)
    assert [sample.prompt_ids for sample in samples] == [prompt for prompt in PROMPTS for _ in range(2)]
    assert len({sample.completion_ids for sample in samples}) == 6
    assert {sample.version for sample in samples} == {1}


def test_sample__gives_a_request_the_same_tokens_whatever_came_before():
    model = make_model()
    engine = make_engine(model)
    torch.manual_seed(1)
    first = engine.sample(REQUEST)
    engine.sample(replace(REQUEST, position=9, prompts=((4, 4, 4, 4, 4, 4, 4, 4),)))
    torch.manual_seed(2)
    assert engine.sample(REQUEST) == first
    assert make_engine(make_model()).sample(REQUEST) == first


@pytest.mark.parametrize("change", [{"seed": 1}, {"position": 5}, {"version": 2}])
def test_sample__depends_on_seed_position_and_version(change):
    engine = make_engine(make_model())
    other = engine.sample(replace(REQUEST, **change))
    assert len(other) == 6
    pairs = zip(engine.sample(REQUEST), other, strict=True)
    assert all(sample.completion_ids != changed.completion_ids for sample, changed in pairs)


def test_sample__leaves_the_random_state_and_training_mode_alone():
    model = make_model().train()
    state = torch.get_rng_state()
    make_engine(model).sample(REQUEST)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training


def test_sample__has_dropout_off():
    adapter = LoraConfig(r=4, lora_dropout=0.5, target_modules="all-linear", init_lora_weights=False)
    torch.manual_seed(0)
    policy = get_peft_model(make_model(), adapter).train()
    engine = make_engine(policy)
    torch.manual_seed(1)
    first = engine.sample(REQUEST)
    torch.manual_seed(2)
    assert engine.sample(REQUEST) == first


def test_sample__uses_the_live_adapter():
    model = make_model()
    without = make_engine(model).sample(REQUEST)
    torch.manual_seed(0)
    policy = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False))
    assert make_engine(model).sample(REQUEST) == make_engine(policy).sample(REQUEST) != without
    with policy.disable_adapter():
        assert make_engine(model).sample(REQUEST) == without


def test_completions__end_with_their_end_of_text_token():
    model = make_model()
    full = make_engine(model).sample(REQUEST)
    end = full[0].completion_ids[3]
    with end_tokens(model, [2, end]):
        stopped = make_engine(model).sample(REQUEST)
    for long, short in zip(full, stopped, strict=True):
        ends = [position for position, token in enumerate(long.completion_ids) if token == end]
        length = ends[0] + 1 if ends else 12
        assert short.completion_ids == long.completion_ids[:length]
        assert short.logprobs == pytest.approx(long.logprobs[:length], abs=1e-5)
        assert short.finish_reason == ("stop" if ends else "length")


def test_completions__may_all_end_early():
    model = make_model()
    with end_tokens(model, list(range(512))):
        samples = make_engine(model).sample(REQUEST)
    assert all(len(sample.completion_ids) == len(sample.logprobs) == 1 for sample in samples)
    assert {sample.finish_reason for sample in samples} == {"stop"}


def test_sample__ignores_the_model_s_own_generation_config():
    # Qwen2.5-Instruct ships a repetition penalty: its samples would not be the policy's, nor their log-probs
    model = make_model()
    expected = make_engine(model).sample(REQUEST)
    model.generation_config.repetition_penalty = 1.5
    model.generation_config.suppress_tokens = list(expected[0].completion_ids)
    engine = make_engine(model)
    assert engine.sample(REQUEST) == expected
    assert model.generation_config.repetition_penalty == 1.5


def test_threads__are_set_while_sampling_only():
    before, model, seen = torch.get_num_threads(), make_model(), set()
    model.register_forward_hook(lambda *_: seen.add(torch.get_num_threads()))
    generation = GenerationConfig(temperature=1.0, max_completion_length=1, threads=before + 1)
    engine = TransformersEngine(model, load_tokenizer("tiny"), generation)
    engine.sample(replace(REQUEST, prompts=((5,),), num_generations=1))
    assert seen == {before + 1}
    assert torch.get_num_threads() == before


def test_engine__of_a_calibrated_model_samples_what_the_whole_pass_says():
    """Rows that end early leave the cache, and with it the columns that the calibration has seen."""
    model, tokenizer = load_model("tiny"), load_tokenizer("tiny")
    calibrate(model, Calibration(heads=((0, 0), (1, 1)), threshold=0.02, min_queries=4))
    engine = TransformersEngine(model, tokenizer, GenerationConfig(temperature=1.0, max_completion_length=24))
    prompts = (tuple(range(10, 40)), tuple(range(50, 60)))
    samples = engine.sample(RolloutRequest(position=0, prompts=prompts, num_generations=4, version=0, seed=3))
    for sample in samples:
        ids = [*sample.prompt_ids, *sample.completion_ids]
        logprobs = token_logprobs(model, [ids])[0, len(sample.prompt_ids) - 1 :]
        assert logprobs.tolist() == pytest.approx(list(sample.logprobs), abs=1e-4)
