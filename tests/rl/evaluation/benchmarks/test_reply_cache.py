"""Reply cache: a prompt is sampled once, and what another model or length would answer is not taken for it."""

from rl.config.model import ModelConfig
from rl.evaluation.asking import Asker, model_modes
from rl.evaluation.benchmarks.reply_cache import CachedEngine
from rl.rollouts.types import RolloutRequest
from tests.rl.evaluation.scripted import ScriptedEngine


def request(*prompts: tuple[int, ...], version: int = 0, tasks: tuple[str, ...] = ()) -> RolloutRequest:
    return RolloutRequest(position=0, prompts=prompts, num_generations=1, version=version, seed=0, tasks=tasks)


def echo(text: str) -> str:
    return text.upper()


def test_cached_engine__samples_only_the_prompts_that_are_new_and_keeps_their_order(tmp_path):
    engine = ScriptedEngine(echo)
    cached = CachedEngine(engine, tmp_path, sampled_by={"max_tokens": 8})
    first, second, third = (tuple(engine.tokenizer(text)["input_ids"]) for text in ("one", "two", "three"))
    asked = cached.sample(request(first, second))
    again = cached.sample(request(third, second, first, version=7, tasks=("c", "b", "a")))
    assert engine.prompts == ["one", "two", "three"]
    plain = ScriptedEngine(echo)
    assert asked == plain.sample(request(first, second))
    assert again == plain.sample(request(third, second, first, version=7))


def test_cached_engine__another_model_or_length_is_another_cache(tmp_path):
    engine = ScriptedEngine(echo)
    prompt = tuple(engine.tokenizer("one")["input_ids"])
    for sampled_by in ({"max_tokens": 8}, {"max_tokens": 9}, {"max_tokens": 8}):
        CachedEngine(engine, tmp_path, sampled_by=sampled_by).sample(request(prompt))
    assert engine.prompts == ["one", "one"]


def test_cached_engine__a_second_strategy_asks_for_its_last_turn_alone(tmp_path):
    engine = ScriptedEngine(lambda text: "an answer")
    asker = Asker(CachedEngine(engine, tmp_path, sampled_by={}), model_modes(ModelConfig(name="tiny")))
    chats = [[{"role": "user", "content": "Describe the sea."}]]
    think = asker.ask(chats, think=True, position=0)
    assert len(engine.prompts) == 2
    assert asker.ask(chats, think=True, position=5) == think
    assert len(engine.prompts) == 2
