"""Guards: 1 for ordinary text, less for the texts that each one detects."""

import pytest

from rewards.guards import (
    apply_guards,
    distinct_words,
    few_repetitions,
    fluent,
    length_floor,
    no_filler,
    not_echo,
    on_topic,
    plain_characters,
    prose,
)

ORDINARY = "Rain falls when warm air rises and cools. The drops grow until the cloud can no longer hold them."


def test_guards__ordinary_text_loses_nothing():
    prompt = "Explain in two sentences why rain falls."
    assert on_topic(ORDINARY, request=prompt) == 1
    assert not_echo(ORDINARY, prompt=prompt) == 1
    assert min(guard(ORDINARY) for guard in (distinct_words, few_repetitions, plain_characters, prose, no_filler)) == 1


def test_guards__blank_text_scores_0():
    for guard in (distinct_words, prose, no_filler):
        assert guard("") == 0
    assert length_floor("", minimum=3) == on_topic("", request="Explain rain.") == 0


def test_on_topic__knows_other_forms_of_a_word():
    assert on_topic("It is raining.", request="Write about the rain.") == 1
    assert on_topic("The sun shines.", request="Write about the rain.") == 0


def test_on_topic__requires_a_third_of_the_key_words():
    # six key words, so two are needed; one of them is there
    request = "Compare apples, pears, plums, cherries, grapes and lemons."
    assert on_topic("I like plums.", request=request) == 0.5
    assert on_topic("A plum and a pear.", request=request) == 1


def test_distinct_words__falls_below_half():
    assert distinct_words("a b c d") == 1
    assert distinct_words("a a a a a a a b") == 0.5  # 2 of 8 = 0.25, half of the floor


def test_distinct_words__are_counted_in_windows():
    honest = " ".join(f"word{number}" for number in range(100))
    assert distinct_words(honest + " spam" * 50) == pytest.approx(1 / 50 / 0.5)  # the last window holds one word


def test_few_repetitions__cost_their_share():
    # "a b c a b c": the runs abc bca cab abc, one of four repeated; (1 - 0.25) / 0.9
    assert few_repetitions("a b c a b c") == pytest.approx(0.75 / 0.9)


def test_length_floor__is_the_share_of_the_minimum():
    assert length_floor("one two", minimum=4) == 0.5
    assert length_floor("one two three", minimum=2) == 1


def test_not_echo__falls_with_what_is_copied():
    prompt = "Explain in two sentences why rain falls."
    assert not_echo(prompt, prompt=prompt) == 0
    assert not_echo("rain falls", prompt=prompt) == 0  # a short text is one run
    # the runs of "why rain falls so", "rain falls so often", "falls so often here": none stands in the prompt
    assert not_echo("why rain falls so often here", prompt=prompt) == 1


@pytest.mark.parametrize(
    "text",
    [
        "Père Noël, 42 m², μm and Δx, \u211d and \ufb01ne — “yes” ☔ 👩‍🌾",
        "Это обычный текст. 这是普通的文字。 می‌خواهم",
        "E=mc²; \u03b1-Strahlen; naïve café (e\u0301)",
    ],
)
def test_plain_characters__ordinary_text_of_any_language_scores_1(text):
    assert plain_characters(text) == 1


@pytest.mark.parametrize(
    "text", ["s\u200bea", "se\u0430", "\uff53ea", "\U0001d42cea", "s\u0336ea", "\u202esea", "a\u00ad"]
)
def test_plain_characters__each_hidden_or_disguised_character_costs_a_quarter(text):
    assert plain_characters(text) == 0.75


def test_no_filler__phrases_of_the_prompt_do_not_count():
    text = "Rain falls. I hope this helps."
    assert no_filler(text) == pytest.approx(0.5 / 0.75)
    assert no_filler(text, prompt='End with "I hope this helps."') == 1


def test_prose__requires_function_words_but_not_only_those():
    assert prose("cloud sea rain drop storm") == 0
    assert prose("of the and to in is it with by") == 0


def test_prose__requires_possible_neighbours():
    # "the of", "of and", "and of", "The." : 4 of the 8 pairs that begin with a grammar word are impossible
    assert prose("The of rain and of and sea is big the.") < 0.5


def test_fluent__is_linear_between_its_bounds():
    def fluency_of(log_prob):
        return fluent("text", log_prob=lambda text: log_prob, ordinary=-3.0, hopeless=-7.0)

    assert [fluency_of(log_prob) for log_prob in (-1.0, -3.0, -4.0, -7.0, -9.0)] == [1, 1, 0.75, 0, 0]


def test_fluent__reversed_bounds_are_an_error():
    with pytest.raises(ValueError, match="hopeless"):
        fluent("text", log_prob=lambda text: -1.0, ordinary=-7.0, hopeless=-3.0)


def test_apply_guards__lowest_guard_decides():
    assert apply_guards(0.8, [1.0, 0.5, 0.9]) == pytest.approx(0.4)
    assert apply_guards(0.8, []) == 0.8
