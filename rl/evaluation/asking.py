"""Asking: one model answers chats in both of its modes, with a thought first and without."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from transformers import PreTrainedTokenizerBase

from rl.config.model import ModelConfig, ReasoningConfig
from rl.models.answers import answer_tokens, opens_thought, reasoning_tags, split_answer, template_tags
from rl.models.load import configured_tokenizer
from rl.models.tokenization import encode_prompt
from rl.rollouts.interfaces import Engine
from rl.rollouts.types import RolloutRequest

Chat = list[dict[str, str]]

MODE = "enable_thinking"
"""The variable by which Qwen3's chat template and those after it turn the model's own thinking on and off."""
THINK_FIRST = (
    "Before you answer, think step by step about what is asked and about each of its rules. Write down your thoughts "
    "alone, not the answer."
)
ANSWER_NOW = "Now write the answer alone."
"""What a model without a mode of its own is told: a small one writes no tags, but answers two messages."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What a model wrote to one chat, its thought apart from its answer."""

    chat: Chat
    """As it was given to the model."""
    prompt_ids: tuple[int, ...]
    completion_ids: tuple[int, ...]
    thought: str
    thought_tokens: int
    """Number of tokens that the model wrote before the answer."""
    answer: str
    answer_mask: tuple[bool, ...]
    """Which of the completion's tokens are the answer's."""
    finished: bool
    """False for a thought without an end, which has no answer."""
    cut_off: bool
    """The completion reached its longest length."""

    @property
    def num_tokens(self) -> int:
        """Number of tokens that the model wrote."""
        return self.thought_tokens + sum(self.answer_mask)


@dataclass(frozen=True, kw_only=True, slots=True)
class Modes:
    """The tokenizers that render prompts for answers without thought and with one."""

    direct: PreTrainedTokenizerBase
    thinking: PreTrainedTokenizerBase
    prompted: bool
    """Whether a thought must be asked for in words, because the model has no mode of its own."""


def model_modes(model: ModelConfig) -> Modes:
    """Find out from the chat template how a model is asked to think, and not to.

    Values of `model.chat_template_kwargs` stay; tags of `model.reasoning` come before the template's.
    """
    plain = configured_tokenizer(model)
    template = str(plain.chat_template or "")
    tags = reasoning_tags(plain) or template_tags(plain)
    reasoning = model.reasoning if tags is None else ReasoningConfig(start=tags.start, end=tags.end)
    has_mode = re.search(rf"\b{MODE}\b", template) is not None and MODE not in model.chat_template_kwargs

    def tokenizer(thinks: bool) -> PreTrainedTokenizerBase:
        values = model.chat_template_kwargs | ({MODE: thinks} if has_mode else {})
        return configured_tokenizer(model.model_copy(update={"chat_template_kwargs": values, "reasoning": reasoning}))

    return Modes(direct=tokenizer(False), thinking=tokenizer(True), prompted=tags is None)


class Asker:
    """Asks one model; what it answers depends on the chats of a call, its position and the seed alone."""

    def __init__(self, engine: Engine, modes: Modes, *, seed: int = 0):
        self.engine = engine
        self.modes = modes
        self.seed = seed

    def ask(self, chats: Sequence[Chat], *, think: bool, position: int, turn: int = 0) -> list[Reply]:
        """Return the reply to each chat; `turn` numbers the calls about the problem at `position`."""
        if think and self.modes.prompted:
            return self._ask_in_two_turns(chats, position, turn)
        tokenizer = self.modes.thinking if think else self.modes.direct
        return self._replies(tokenizer, chats, position, 2 * turn, close=not think)

    def shown(self, chat: Chat, thought: str, answer: str) -> Chat:
        """Return a chat with a thought and an answer, as an example of how this model is asked to think."""
        if self.modes.prompted:
            return [*_thinking(chat, thought), {"role": "assistant", "content": answer}]
        tags = reasoning_tags(self.modes.thinking)
        assert tags is not None, "a model with a mode of its own has tags"
        return [*chat, {"role": "assistant", "content": f"{tags.start}\n{thought}\n{tags.end}\n\n{answer}"}]

    def _ask_in_two_turns(self, chats: Sequence[Chat], position: int, turn: int) -> list[Reply]:
        """Ask for a thought, then with it in the chat for the answer."""
        asked = [_asked_to_think(chat) for chat in chats]
        thoughts = self._replies(self.modes.direct, asked, position, 2 * turn, close=True)
        chats = [_thinking(chat, thought.answer) for chat, thought in zip(chats, thoughts, strict=True)]
        answers = self._replies(self.modes.direct, chats, position, 2 * turn + 1, close=True)
        return [
            replace(answer, thought=thought.answer, thought_tokens=len(thought.completion_ids))
            for answer, thought in zip(answers, thoughts, strict=True)
        ]

    def _replies(
        self, tokenizer: PreTrainedTokenizerBase, chats: Sequence[Chat], position: int, version: int, *, close: bool
    ) -> list[Reply]:
        if not chats:
            return []
        prompts = tuple(encode_prompt(tokenizer, chat) for chat in chats)
        if close:
            prompts = tuple(_without_thought(tokenizer, prompt) for prompt in prompts)
        request = RolloutRequest(position=position, prompts=prompts, num_generations=1, version=version, seed=self.seed)
        samples = self.engine.sample(request)
        return [_reply(tokenizer, chat, sample) for chat, sample in zip(chats, samples, strict=True)]


def _reply(tokenizer: PreTrainedTokenizerBase, chat: Chat, sample: Any) -> Reply:
    split = split_answer(tokenizer, sample.prompt_ids, sample.completion_ids)
    answer_mask = tuple(answer_tokens(tokenizer, sample.prompt_ids, sample.completion_ids))
    return Reply(
        chat=chat,
        prompt_ids=sample.prompt_ids,
        completion_ids=sample.completion_ids,
        thought=split.thought,
        thought_tokens=len(answer_mask) - sum(answer_mask),
        answer=split.answer,
        answer_mask=answer_mask,
        finished=split.finished,
        cut_off=sample.finish_reason == "length",
    )


def _asked_to_think(chat: Chat) -> Chat:
    """Return the chat with the request to think behind the user's last message, whose characters keep their places."""
    return [*chat[:-1], {**chat[-1], "content": f"{chat[-1]['content']}\n\n{THINK_FIRST}"}]


def _thinking(chat: Chat, thought: str) -> Chat:
    """Return the chat with the model's thought and the request to answer now."""
    return [
        *_asked_to_think(chat),
        {"role": "assistant", "content": thought},
        {"role": "user", "content": ANSWER_NOW},
    ]


def _without_thought(tokenizer: PreTrainedTokenizerBase, prompt: tuple[int, ...]) -> tuple[int, ...]:
    """Return the prompt; a thought that the template has opened is ended, empty, before the answer."""
    tags = reasoning_tags(tokenizer)
    if tags is None or not opens_thought(tokenizer, prompt):
        return prompt
    closing: Any = tokenizer(f"\n{tags.end}\n\n", add_special_tokens=False)["input_ids"]
    return (*prompt, *closing)
