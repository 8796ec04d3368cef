"""The chain model: about a million parameters, pretrained in minutes until it half solves the chains, then cached."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
import transformers
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from data.problems import Problem, user_text
from data.toy_tasks.arithmetic import SIGNS, chain_problem, is_correct, solution
from rl.common.cache import build_once
from rl.models.tokenization import encode_problems, pad_right
from rl.rollouts.engine_hf import TransformersEngine
from rl.rollouts.generation import GenerationConfig
from rl.rollouts.types import RolloutRequest

PAD, END = "<pad>", "<end>"
CHAT_TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
BATCH_SIZE, LEARNING_RATE = 64, 1e-3
MAX_STEPS, EVALUATE_EVERY, NUM_EVALUATED = 4000, 25, 128
TRAIN_SEED, EVALUATION_SEED = 1_000_003, 1_000_033
"""Seeds of the chains that it is pretrained on and evaluated with; no run draws from them."""
MAX_SOLUTION_TOKENS = 24
"""Enough for the longest solution and its end-of-text token."""
GREEDY = GenerationConfig(temperature=0.0, max_completion_length=MAX_SOLUTION_TOKENS)


def pretrained_model(accuracy: float, *, seed: int = 0) -> Path:
    """Return the folder of a model pretrained until it solves this share of the chains; built once on a machine."""
    setup = f"{transformers.__version__}-{torch.__version__}-{SIGNS}-{BATCH_SIZE}-{LEARNING_RATE}-{TRAIN_SEED}"
    digest = hashlib.sha256(setup.encode()).hexdigest()[:8]

    def build(folder: Path) -> None:
        tokenizer = character_tokenizer()
        pretrain(chain_model(seed=seed), tokenizer, accuracy=accuracy).save_pretrained(folder)
        tokenizer.save_pretrained(folder)

    return build_once(f"chains-{accuracy}-{seed}-{digest}", build)


def character_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer with one token per character; its chat template adds nothing to a message."""
    vocabulary = {sign: number for number, sign in enumerate([PAD, END, *SIGNS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=PAD))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, chat_template=CHAT_TEMPLATE, model_max_length=256
    )


def chain_model(*, seed: int) -> LlamaForCausalLM:
    """Return a random model of 1.2 million parameters: four layers of four heads."""
    config = LlamaConfig(
        vocab_size=2 + len(SIGNS),
        hidden_size=160,
        intermediate_size=432,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=256,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=1,
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)


def pretrain(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, *, accuracy: float) -> LlamaForCausalLM:
    """Take supervised steps on worked-out chains, with loss on the solution only, until the accuracy is reached.

    Raises RuntimeError when `MAX_STEPS` do not reach it.
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    engine = TransformersEngine(model, tokenizer, GREEDY)
    evaluated = [chain_problem(EVALUATION_SEED, index) for index in range(NUM_EVALUATED)]
    for step in range(MAX_STEPS):
        if step % EVALUATE_EVERY == 0 and chain_accuracy(engine, evaluated) >= accuracy:
            return model.eval()
        ids, labels = _batch(tokenizer, range(step * BATCH_SIZE, (step + 1) * BATCH_SIZE))
        model.train()
        loss = model(input_ids=ids, attention_mask=(ids != 0).long(), labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    raise RuntimeError(f"pretraining did not reach {accuracy:.0%} of the chains in {MAX_STEPS} steps")


def chain_accuracy(engine: TransformersEngine, problems: Sequence[Problem]) -> float:
    """Return the share of the chains that the engine's model solves."""
    texts = sampled_texts(engine, problems)
    correct = [is_correct(text, str(problem.reference)) for text, problem in zip(texts, problems, strict=True)]
    return sum(correct) / len(correct)


def sampled_texts(engine: TransformersEngine, problems: Sequence[Problem]) -> list[str]:
    """Sample one completion per problem, all in one batch."""
    request = RolloutRequest(
        position=0,
        prompts=tuple(encode_problems(engine.tokenizer, problems)),
        num_generations=1,
        version=0,
        seed=0,
        tasks=tuple(problem.task for problem in problems),
    )
    ids = [list(sample.completion_ids) for sample in engine.sample(request)]
    return engine.tokenizer.batch_decode(ids, skip_special_tokens=True)


def _batch(tokenizer: PreTrainedTokenizerFast, indices: range) -> tuple[Tensor, Tensor]:
    """Return padded ids of worked-out chains, and labels that leave the prompts out."""
    prompts = [user_text(chain_problem(TRAIN_SEED, index)) for index in indices]
    rows = [[*tokenizer.encode(prompt + solution(prompt)), tokenizer.eos_token_id] for prompt in prompts]
    ids, real = pad_right(rows)
    starts = torch.tensor([len(prompt) for prompt in prompts])[:, None]
    is_solution = (torch.arange(ids.shape[1]) >= starts) & real
    return ids, ids.masked_fill(~is_solution, -100)
