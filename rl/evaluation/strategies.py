"""Strategies: ways of answering a request with thought, without it, or with it where it helps (arXiv 2505.11423)."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import get_args

from data.expansion import instruction_problem
from data.problems import Problem, user_text
from data.witness import witness
from rl.config.evaluation import StrategyName
from rl.evaluation.asking import Asker, Chat, Reply

NUM_SHOTS = 4
"""In-context examples, as many as the paper takes for IFEval."""
CHECK = (
    "Check your answer against every rule of my request, one after the other. Then write the final answer alone: "
    "corrected where it breaks a rule, and otherwise unchanged."
)
DECIDE = (
    "Below is a request. Decide whether thinking step by step first would make an answer keep more of its rules, or "
    "whether answering directly would. Do not answer the request. Reply with one word: THINK or DIRECT.\n\nRequest:\n"
)
DECISION = re.compile(r"\b(think|direct)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class StrategyAnswer:
    """The reply that counts, and what it took to get it."""

    reply: Reply
    thinks: bool
    """Whether it was asked for with a thought."""
    tokens: int
    """Tokens that the model wrote, in all its replies."""
    note: str = ""
    """The first answer, where a second replaced it, or the model's own decision."""


Strategy = Callable[[Asker, Sequence[Problem], int], list[StrategyAnswer]]
"""Asks for the answers to a batch of problems, the first of which stands at a position."""
Decide = Callable[[Sequence[str]], list[bool]]
"""Requests -> whether to think about each."""


def strategy_named(name: StrategyName, decide: Decide | None = None) -> Strategy:
    """Return a strategy by name; `classifier` needs the decisions of a trained selector."""
    match name:
        case "direct":
            return direct
        case "think":
            return think
        case "few_shot":
            return few_shot
        case "self_reflect":
            return self_reflect
        case "self_select":
            return self_select
        case "classifier":
            if decide is None:
                raise ValueError("the strategy 'classifier' needs a selector")
            return lambda asker, problems, position: classifier(asker, problems, position, decide=decide)
    raise ValueError(f"no strategy {name!r}; it must be one of {', '.join(get_args(StrategyName))}")


def direct(asker: Asker, problems: Sequence[Problem], position: int) -> list[StrategyAnswer]:
    """Ask for the answer without a thought."""
    return _answers(asker.ask(_chats(problems), think=False, position=position), thinks=False)


def think(asker: Asker, problems: Sequence[Problem], position: int) -> list[StrategyAnswer]:
    """Have the model think first: in its own mode, or because the prompt asks for it."""
    return _answers(asker.ask(_chats(problems), think=True, position=position), thinks=True)


def few_shot(asker: Asker, problems: Sequence[Problem], position: int) -> list[StrategyAnswer]:
    """Show thoughtful answers that keep their rules before the request, then have the model think."""
    chats = [_with_shots(asker, chat) for chat in _chats(problems)]
    return _answers(asker.ask(chats, think=True, position=position), thinks=True)


def self_reflect(asker: Asker, problems: Sequence[Problem], position: int) -> list[StrategyAnswer]:
    """Have the model think and answer, then check that answer in a second pass, whose answer counts."""
    drafts = think(asker, problems, position)
    chats = [
        [*chat, {"role": "assistant", "content": draft.reply.answer}, {"role": "user", "content": CHECK}]
        for chat, draft in zip(_chats(problems), drafts, strict=True)
    ]
    checked = _answers(asker.ask(chats, think=False, position=position, turn=1), thinks=True)
    return [
        replace(after, tokens=before.tokens + after.tokens, note=before.reply.answer)
        for before, after in zip(drafts, checked, strict=True)
    ]


def self_select(asker: Asker, problems: Sequence[Problem], position: int) -> list[StrategyAnswer]:
    """Let the model decide whether to think; without a decision that can be read, it answers directly."""
    questions: list[Chat] = [[{"role": "user", "content": DECIDE + user_text(problem)}] for problem in problems]
    decisions = asker.ask(questions, think=False, position=position, turn=1)
    answers = _mixed(asker, problems, position, [decision_of(reply.answer) == "think" for reply in decisions])
    return [
        replace(answer, tokens=answer.tokens + reply.num_tokens, note=reply.answer)
        for answer, reply in zip(answers, decisions, strict=True)
    ]


def classifier(asker: Asker, problems: Sequence[Problem], position: int, *, decide: Decide) -> list[StrategyAnswer]:
    """Think where a classifier, trained on the same model's scores, expects thinking to score higher."""
    return _mixed(asker, problems, position, decide([user_text(problem) for problem in problems]))


def decision_of(answer: str) -> str | None:
    """Return `think` or `direct`, whichever word comes first, or None."""
    match = DECISION.search(answer)
    return None if match is None else match[1].lower()


def _mixed(asker: Asker, problems: Sequence[Problem], position: int, thinks: Sequence[bool]) -> list[StrategyAnswer]:
    """Answer some problems with a thought and the others without."""
    with_thought = iter(think(asker, [one for one, yes in zip(problems, thinks, strict=True) if yes], position))
    without = iter(direct(asker, [one for one, yes in zip(problems, thinks, strict=True) if not yes], position))
    return [next(with_thought if yes else without) for yes in thinks]


def _answers(replies: Sequence[Reply], *, thinks: bool) -> list[StrategyAnswer]:
    return [StrategyAnswer(reply=reply, thinks=thinks, tokens=reply.num_tokens) for reply in replies]


def _chats(problems: Sequence[Problem]) -> list[Chat]:
    return [[dict(message) for message in problem.messages] for problem in problems]


def _with_shots(asker: Asker, chat: Chat) -> Chat:
    """Return the chat with the examples before its first message of a user."""
    first = next(index for index, message in enumerate(chat) if message["role"] == "user")
    shots = [message for shot in _shots() for message in asker.shown([{"role": "user", "content": shot[0]}], *shot[1:])]
    return [*chat[:first], *shots, *chat[first:]]


@cache
def _shots() -> tuple[tuple[str, str, str], ...]:
    """Return requests, each with a thought about its rules alone and an answer that keeps them."""
    shots: list[tuple[str, str, str]] = []
    for index in range(10 * NUM_SHOTS):
        problem = instruction_problem(0, index, max_constraints=3)
        answer = witness([(spec.id, spec.kwargs) for spec in problem.constraints], prompt=user_text(problem))
        if answer is not None:
            rules = " ".join(f"({number}) {spec.text}" for number, spec in enumerate(problem.constraints, 1))
            shots.append((user_text(problem), f"The rules are: {rules} I keep each of them.", answer))
        if len(shots) == NUM_SHOTS:
            break
    return tuple(shots)
