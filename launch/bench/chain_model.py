"""The chain model: about a million parameters, pretrained in minutes until it half solves an exercise, then cached."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import torch
import transformers
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    get_constant_schedule_with_warmup,
)

from data.problems import Problem, user_text
from data.toy_tasks.arithmetic import SIGNS, chain_problem, is_correct, solution
from rl.common.cache import build_once
from rl.models.tokenization import encode_problems, pad_right
from rl.rollouts.engine_hf import TransformersEngine
from rl.rollouts.generation import GenerationConfig
from rl.rollouts.types import RolloutRequest

PAD, END = "<pad>", "<end>"
CHAT_TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
BATCH_SIZE, PART, LEARNING_RATE = 64, 16, 1e-3
"""Rows of a supervised step, of which so many of similar lengths are computed together."""
MAX_STEPS, NUM_EVALUATED = 4000, 128
TRAIN_SEED, EVALUATION_SEED = 1_000_003, 1_000_033
"""Seeds of the problems that it is pretrained on and evaluated with; no run draws from them."""
MAX_SOLUTION_TOKENS = 24
"""Enough for the longest solution and its end-of-text token."""
GREEDY = GenerationConfig(temperature=0.0, max_completion_length=MAX_SOLUTION_TOKENS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Exercise:
    """What the model is pretrained on.

    Example:
        Exercise(name="chains", problem=chain_problem, solution=chain_solution, score=chain_score)
    """

    name: str
    """Part of the cached folder's name."""
    problem: Callable[[int, int], Problem]
    """The problem of a seed and an index."""
    solution: Callable[[Problem], str]
    """The answer that is learnt."""
    score: Callable[[str, Problem], float]
    """From 0 to 1, of an answer."""
    evaluate_every: int = 25
    """Steps between two looks whether the model is good enough."""
    tokenizer: Callable[[], PreTrainedTokenizerFast] | None = None
    """Makes the tokenizer; None takes one token per character."""
    max_tokens: int = MAX_SOLUTION_TOKENS
    """Enough for the longest answer and its end-of-text token."""
    learning_rate: float = LEARNING_RATE
    warm_up: int = 0
    """Steps over which the learning rate rises to its value."""


CHAINS = Exercise(
    name="chains",
    problem=chain_problem,
    solution=lambda problem: solution(user_text(problem)),
    score=lambda text, problem: float(is_correct(text, str(problem.reference))),
)


def pretrained_model(accuracy: float, exercise: Exercise = CHAINS, *, seed: int = 0) -> Path:
    """Return the folder of a model pretrained until it has this mean score; built once on a machine."""
    rates = f"{exercise.learning_rate}-{exercise.warm_up}"
    setup = f"{transformers.__version__}-{torch.__version__}-{SIGNS}-{BATCH_SIZE}-{PART}-{rates}-{TRAIN_SEED}"
    digest = hashlib.sha256(setup.encode()).hexdigest()[:8]

    def build(folder: Path) -> None:
        tokenizer = (exercise.tokenizer or character_tokenizer)()
        model = chain_model(seed=seed, vocabulary=len(tokenizer))
        pretrain(model, tokenizer, exercise, accuracy=accuracy).save_pretrained(folder)
        tokenizer.save_pretrained(folder)

    return build_once(f"{exercise.name}-{accuracy}-{seed}-{digest}", build)


def character_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer with one token per character; its chat template adds nothing to a message."""
    return word_tokenizer(SIGNS, pattern=".")


def word_tokenizer(words: Iterable[str], *, pattern: str) -> PreTrainedTokenizerFast:
    """Return a tokenizer with one token per word, where words are what the pattern matches."""
    vocabulary = {word: number for number, word in enumerate([PAD, END, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=PAD))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, chat_template=CHAT_TEMPLATE, model_max_length=256
    )


def chain_model(*, seed: int, vocabulary: int = 2 + len(SIGNS)) -> LlamaForCausalLM:
    """Return a random model of 1.2 million parameters: four layers of four heads."""
    config = LlamaConfig(
        vocab_size=vocabulary,
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


def pretrain(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, exercise: Exercise = CHAINS, *, accuracy: float
) -> LlamaForCausalLM:
    """Take supervised steps on worked-out problems, with loss on the solution only, until the mean score is reached.

    Raises RuntimeError when `MAX_STEPS` do not reach it.
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=exercise.learning_rate)
    schedule = get_constant_schedule_with_warmup(optimizer, exercise.warm_up)
    engine = TransformersEngine(model, tokenizer, replace(GREEDY, max_completion_length=exercise.max_tokens))
    evaluated = [exercise.problem(EVALUATION_SEED, index) for index in range(NUM_EVALUATED)]
    for step in range(MAX_STEPS):
        if step % exercise.evaluate_every == 0 and fmean(scores(engine, evaluated, exercise)) >= accuracy:
            return model.eval()
        ids, labels = _batch(tokenizer, exercise, range(step * BATCH_SIZE, (step + 1) * BATCH_SIZE))
        accumulate_gradients(model.train(), ids, labels)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    raise RuntimeError(f"pretraining did not reach {accuracy:.0%} of the {exercise.name} in {MAX_STEPS} steps")


def accumulate_gradients(model: LlamaForCausalLM, ids: Tensor, labels: Tensor) -> None:
    """Add the gradients of the mean loss over all labels, computed in parts of similar lengths, which saves padding.

    Shapes: ids, labels [B, S]; ids are padded on the right, labels of -100 do not count.
    """
    lengths, count = (ids != 0).sum(dim=1), (labels != -100).sum()
    for rows in lengths.argsort(stable=True).split(PART):
        longest = int(lengths[rows].max())
        part, targets = ids[rows, :longest], labels[rows, 1:longest]
        logits = model(input_ids=part, attention_mask=(part != 0).long()).logits[:, :-1]
        (cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum") / count).backward()


def scores(engine: TransformersEngine, problems: Sequence[Problem], exercise: Exercise = CHAINS) -> list[float]:
    """Return the score of the engine's answer to each problem."""
    texts = sampled_texts(engine, problems)
    return [exercise.score(text, problem) for text, problem in zip(texts, problems, strict=True)]


def sampled_texts(engine: TransformersEngine, problems: Sequence[Problem], *, samples: int = 1) -> list[str]:
    """Sample completions of each problem, side by side, all in one batch."""
    request = RolloutRequest(
        position=0,
        prompts=tuple(encode_problems(engine.tokenizer, problems)),
        num_generations=samples,
        version=0,
        seed=0,
        tasks=tuple(problem.task for problem in problems),
    )
    ids = [list(sample.completion_ids) for sample in engine.sample(request)]
    return engine.tokenizer.batch_decode(ids, skip_special_tokens=True)


def _batch(tokenizer: PreTrainedTokenizerFast, exercise: Exercise, indices: range) -> tuple[Tensor, Tensor]:
    """Return padded ids of worked-out problems, and labels that leave the prompts out."""
    problems = [exercise.problem(TRAIN_SEED, index) for index in indices]
    prompts = [user_text(problem) for problem in problems]
    solutions = [exercise.solution(problem) for problem in problems]
    rows = [
        [*tokenizer.encode(prompt + answer), tokenizer.eos_token_id]
        for prompt, answer in zip(prompts, solutions, strict=True)
    ]
    ids, real = pad_right(rows)
    starts = torch.tensor([len(tokenizer.encode(prompt)) for prompt in prompts])[:, None]
    is_solution = (torch.arange(ids.shape[1]) >= starts) & real
    return ids, ids.masked_fill(~is_solution, -100)
