"""The warm-up: a model of about a million parameters that half knows a task, built in minutes and then cached."""

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
from rl.models.tokenization import encode_prompt, pad_right
from rl.rollouts.engine_hf import TransformersEngine
from rl.rollouts.generation import GenerationConfig
from rl.rollouts.types import RolloutRequest

PAD, END = "<pad>", "<end>"
CHAT_TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
BATCH, LEARNING_RATE = 64, 1e-3
MOST_STEPS, BETWEEN_LOOKS, NUM_LOOKED_AT = 4000, 25, 128
TRAINING_SEED, LOOKING_SEED = 1_000_003, 1_000_033
"""Of the chains that it is warmed up on and looked at with; no run draws from them."""
MAX_SOLUTION = 24
"""Tokens that the longest solution and its end fit in."""
GREEDY = GenerationConfig(temperature=0.0, max_completion_length=MAX_SOLUTION)


def warmed_model(accuracy: float, *, seed: int = 0) -> Path:
    """The folder of a model that was shown worked-out chains until it got this share right; built once on a machine."""
    recipe = f"{transformers.__version__}-{torch.__version__}-{SIGNS}-{BATCH}-{LEARNING_RATE}-{TRAINING_SEED}"
    digest = hashlib.sha256(recipe.encode()).hexdigest()[:8]

    def build(folder: Path) -> None:
        tokenizer = sign_tokenizer()
        warm_up(chain_model(seed=seed), tokenizer, accuracy=accuracy).save_pretrained(folder)
        tokenizer.save_pretrained(folder)

    return build_once(f"chains-{accuracy}-{seed}-{digest}", build)


def sign_tokenizer() -> PreTrainedTokenizerFast:
    """One token a character, a message is its own template."""
    vocabulary = {sign: number for number, sign in enumerate([PAD, END, *SIGNS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=PAD))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, chat_template=CHAT_TEMPLATE, model_max_length=256
    )


def chain_model(*, seed: int) -> LlamaForCausalLM:
    """1.2 million parameters: four layers of four heads."""
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


def warm_up(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, *, accuracy: float) -> LlamaForCausalLM:
    """Supervised steps on worked-out chains; the prompt is not learnt.

    Raises RuntimeError when the accuracy is not reached in `MOST_STEPS`.
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    engine = TransformersEngine(model, tokenizer, GREEDY)
    looked_at = [chain_problem(LOOKING_SEED, index) for index in range(NUM_LOOKED_AT)]
    for step in range(MOST_STEPS):
        if step % BETWEEN_LOOKS == 0 and chain_accuracy(engine, looked_at) >= accuracy:
            return model.eval()
        ids, labels = _batch(tokenizer, range(step * BATCH, (step + 1) * BATCH))
        model.train()
        loss = model(input_ids=ids, attention_mask=(ids != 0).long(), labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    raise RuntimeError(f"the warm-up did not reach {accuracy:.0%} of the chains in {MOST_STEPS} steps")


def chain_accuracy(engine: TransformersEngine, problems: Sequence[Problem]) -> float:
    """Share of the chains that the engine's model gets right, all sampled in one batch."""
    tokenizer = engine.tokenizer
    prompts = tuple(encode_prompt(tokenizer, [dict(m) for m in problem.messages]) for problem in problems)
    samples = engine.sample(RolloutRequest(position=0, prompts=prompts, num_generations=1, version=0, seed=0))
    texts = tokenizer.batch_decode([list(sample.completion_ids) for sample in samples], skip_special_tokens=True)
    right = [is_correct(text, str(problem.reference)) for text, problem in zip(texts, problems, strict=True)]
    return sum(right) / len(right)


def _batch(tokenizer: PreTrainedTokenizerFast, indices: range) -> tuple[Tensor, Tensor]:
    prompts = [user_text(chain_problem(TRAINING_SEED, index)) for index in indices]
    rows = [[*tokenizer.encode(prompt + solution(prompt)), tokenizer.eos_token_id] for prompt in prompts]
    ids, real = pad_right(rows)
    starts = torch.tensor([len(prompt) for prompt in prompts])[:, None]
    learnt = (torch.arange(ids.shape[1]) >= starts) & real
    return ids, ids.masked_fill(~learnt, -100)
