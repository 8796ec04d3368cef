"""Strategies: what each asks the model, which reply counts, and how the model's own mode is turned on and off."""

import pytest

from data.problems import Problem
from rl.config.model import ModelConfig
from rl.evaluation.asking import ANSWER_NOW, THINK_FIRST, Asker, model_modes
from rl.evaluation.strategies import (
    CHECK,
    DECIDE,
    NUM_SHOTS,
    classifier,
    decision_of,
    direct,
    few_shot,
    self_reflect,
    self_select,
    strategy_named,
    think,
)
from rl.models.answers import set_reasoning
from tests.rl.evaluation.scripted import ScriptedEngine
from tests.rl.thinking import HYBRID, OPENING

SEA, SKY = (
    Problem(problem_id=noun, messages=({"role": "user", "content": f"Describe the {noun}."},))
    for noun in ("sea", "sky")
)


def asker(script, template: str | None = None, monkeypatch=None) -> Asker:
    if template is not None:
        monkeypatch.setattr("rl.models.tiny.CHAT_TEMPLATE", template)
    return Asker(ScriptedEngine(script), model_modes(ModelConfig(name="tiny")))


def in_two_turns(thought: str, answer: str):
    """Return the script of a model that is asked for its thought, and then for its answer."""
    return lambda prompt: answer if ANSWER_NOW in prompt else thought


def test_direct__asks_as_it_is_and_takes_all_of_the_reply():
    asked = asker(lambda prompt: "<think>x</think>Blue.")
    [answer] = direct(asked, [SEA], 0)
    assert (answer.reply.answer, answer.reply.thought, answer.thinks) == ("<think>x</think>Blue.", "", False)
    assert asked.engine.prompts == ["<|im_start|>user\nDescribe the sea.<|im_end|>\n<|im_start|>assistant\n"]


def test_think__asks_a_model_without_a_mode_in_words():
    asked = asker(in_two_turns("Green?", "Blue."))
    [answer] = think(asked, [SEA], 0)
    assert (answer.reply.thought, answer.reply.answer, answer.thinks) == ("Green?", "Blue.", True)
    first, second = asked.engine.prompts
    assert first.endswith(f"Describe the sea.\n\n{THINK_FIRST}<|im_end|>\n<|im_start|>assistant\n")
    assert second == f"{first}Green?<|im_end|>\n<|im_start|>user\n{ANSWER_NOW}<|im_end|>\n<|im_start|>assistant\n"
    lengths = [len(asked.engine.tokenizer(text + "<|im_end|>")["input_ids"]) for text in ("Green?", "Blue.")]
    assert [answer.reply.thought_tokens, sum(answer.reply.answer_mask)] == lengths and answer.tokens == sum(lengths)


def test_think__a_thinking_model_may_not_think_and_one_that_never_ends_has_no_answer(monkeypatch):
    [plain] = think(asker(lambda prompt: "Blue.", HYBRID, monkeypatch), [SEA], 0)
    assert (plain.reply.thought, plain.reply.answer, plain.reply.finished) == ("", "Blue.", True)
    [endless] = think(asker(lambda prompt: "<think>Green, or", HYBRID, monkeypatch), [SEA], 0)
    assert (endless.reply.answer, endless.reply.finished) == ("", False)


def test_modes__of_a_hybrid_model_are_its_own(monkeypatch):
    asked = asker(lambda prompt: "<think>x</think>Blue.", HYBRID, monkeypatch)
    [without], [thoughtful] = direct(asked, [SEA], 0), think(asked, [SEA], 0)
    assert asked.engine.prompts[0].endswith("assistant\n<think>\n\n</think>\n\n")
    assert asked.engine.prompts[1].endswith("<|im_start|>assistant\n") and THINK_FIRST not in asked.engine.prompts[1]
    assert thoughtful.reply.answer == "Blue." and without.reply.answer == "Blue."


def test_modes__a_thought_that_the_template_opens_is_closed_for_a_direct_answer(monkeypatch):
    asked = asker(
        lambda prompt: "Blue." if prompt.rstrip().endswith("</think>") else "x</think>Blue.", OPENING, monkeypatch
    )
    [without], [thoughtful] = direct(asked, [SEA], 0), think(asked, [SEA], 0)
    assert (without.reply.thought, without.reply.answer) == ("", "Blue.")
    assert (thoughtful.reply.thought, thoughtful.reply.answer) == ("x", "Blue.")


def test_few_shot__shows_thoughtful_answers_before_the_request():
    asked = asker(lambda prompt: "Blue.")
    few_shot(asked, [SEA], 0)
    prompt = asked.engine.prompts[0]
    # each example is two turns, and of the request the first is there
    assert prompt.count("<|im_start|>user\n") == 2 * NUM_SHOTS + 1
    assert prompt.count("I keep each of them.<|im_end|>") == prompt.count(ANSWER_NOW) == NUM_SHOTS
    assert prompt.rindex("Describe the sea.") > prompt.rindex(ANSWER_NOW)


def test_few_shot__shows_a_thinking_model_its_own_tags(monkeypatch):
    asked = asker(lambda prompt: "<think>x</think>Blue.", HYBRID, monkeypatch)
    few_shot(asked, [SEA], 0)
    [prompt] = asked.engine.prompts
    assert prompt.count("<|im_start|>user\n") == NUM_SHOTS + 1
    assert prompt.count("I keep each of them.\n</think>\n\n") == NUM_SHOTS


def test_self_reflect__the_second_answer_counts_and_both_cost():
    asked = asker(lambda prompt: "Blue, checked." if CHECK in prompt else in_two_turns("x", "Blue.")(prompt))
    [answer] = self_reflect(asked, [SEA], 0)
    assert (answer.reply.answer, answer.note) == ("Blue, checked.", "Blue.")
    assert "<|im_start|>assistant\nBlue.<|im_end|>" in asked.engine.prompts[2]
    assert THINK_FIRST not in asked.engine.prompts[2], "without its thought"
    before = sum(len(asked.engine.tokenizer(text + "<|im_end|>")["input_ids"]) for text in ("x", "Blue."))
    assert answer.tokens == before + len(answer.reply.completion_ids)


def test_self_select__thinks_where_the_model_says_so():
    def script(prompt: str) -> str:
        if DECIDE in prompt:
            return "I would think." if "sea" in prompt else "No idea."
        return "Blue."

    sea, sky = self_select(asker(script), [SEA, SKY], 0)
    assert (sea.thinks, sky.thinks) == (True, False)
    assert (sea.note, sky.note) == ("I would think.", "No idea.")


@pytest.mark.parametrize(
    ("answer", "decision"),
    [
        ("THINK", "think"),
        ("Direct, do not think.", "direct"),
        ("Thinking helps", "think"),
        ("Rethink?", None),
        ("", None),
    ],
)
def test_decision_of__the_first_of_the_two_words(answer, decision):
    assert decision_of(answer) == decision


def test_classifier__answers_each_prompt_as_decided_and_in_order():
    asked = asker(lambda prompt: "sky" if "sky" in prompt else "sea")
    answers = classifier(asked, [SKY, SEA], 0, decide=lambda prompts: ["sea" in prompt for prompt in prompts])
    assert [(one.thinks, one.reply.answer) for one in answers] == [(False, "sky"), (True, "sea")]
    with pytest.raises(ValueError, match="needs a selector"):
        strategy_named("classifier")


def test_model_modes__keep_what_the_user_has_set(monkeypatch):
    monkeypatch.setattr("rl.models.tiny.CHAT_TEMPLATE", HYBRID)
    modes = model_modes(ModelConfig(name="tiny", chat_template_kwargs={"enable_thinking": False}))
    chat = [{"role": "user", "content": "Hi"}]
    rendered = {
        str(one.apply_chat_template(chat, add_generation_prompt=True, tokenize=False))
        for one in (modes.direct, modes.thinking)
    }
    assert len(rendered) == 1 and rendered.pop().endswith("</think>\n\n")
    set_reasoning(modes.direct, None)
