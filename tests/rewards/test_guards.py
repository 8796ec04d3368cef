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


RAIN = "Explain how rain forms."
SOFA = "The sofa of my aunt was sold last week because her new flat is far too small for furniture like that."


def test_on_topic__goes_by_meaning_and_not_by_words():
    assert (
        on_topic("Vapour cools high above us until drops are heavy enough to fall on our umbrellas.", request=RAIN) == 1
    )
    assert on_topic(SOFA, request="Which vitamins does a marathon runner need before the race?") < 0.9


@pytest.mark.parametrize(
    ("text", "request_"),
    [("Oslo.", "What is the capital of Norway?"), (SOFA, "Tell me more."), ("Das weiß niemand so genau.", RAIN)],
)
def test_on_topic__does_not_judge_what_it_cannot(text, request_):
    assert on_topic(text, request=request_) == 1


def test_distinct_words__falls_below_half():
    assert distinct_words("a b c d") == 1
    assert distinct_words("a a a a a a a b") == 0.5  # 2 of 8 = 0.25, half of the floor


def test_distinct_words__are_counted_in_windows():
    honest = " ".join(f"word{number}" for number in range(100))
    assert distinct_words(honest + " spam" * 50) == pytest.approx(1 / 50 / 0.5)  # the last window holds one word


def test_few_repetitions__cost_their_share():
    # "a b c a b c": the runs abc bca cab abc, one of four repeated; (1 - 0.25) / 0.88
    assert few_repetitions("a b c a b c") == pytest.approx(0.75 / 0.88)


def test_repetition__is_allowed_where_it_is_asked_for():
    chorus = "Leave the light on for me. " * 4
    # 24 words, 6 of them distinct: a quarter, half of the floor of a half
    assert distinct_words(chorus) == 0.5 and distinct_words(chorus, prompt="Write a song.") == 1
    # 22 runs, 6 of them distinct
    assert few_repetitions(chorus) == pytest.approx(6 / 22 / 0.88)
    assert few_repetitions(chorus, prompt="Write a song.") == pytest.approx(6 / 22 / 0.5)


def test_distinct_words__symbols_count_where_there_are_no_words():
    assert distinct_words("☔🌂") == 1 and distinct_words("☔☔☔☔") == 0.5


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("No.", "Is the earth flat? Answer yes or no."),
        ("Two wheels.", "Write a slogan for a bicycle shop."),
        ("^[0-9]$", "Write a regular expression for a digit."),
        ("Sí.", 'Elige una: "Sí.", "No.", "Quizás."'),
        ("朝の庭 足あと一つ 雪の猫です", "Describe snow in Japanese."),  # 13 characters, as long as 6.5 words
        ("☔🌂💧🏠☕📖", "Describe rain with emojis."),
    ],
)
def test_length_floor__yields_to_what_is_asked_for(text, prompt):
    assert length_floor(text, minimum=6, prompt=prompt) == 1


def test_length_floor__yields_to_a_rule_that_asks_for_less():
    assert length_floor("Breath hangs white.", minimum=12) == 0.25
    assert length_floor("Breath hangs white.", minimum=12, allowed=3) == 1
    assert length_floor("Breath hangs white.", minimum=3, allowed=12) == 1


def test_length_floor__marks_are_no_words():
    assert length_floor("_ __ ___ -- {} []", minimum=6) == 0


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
    ("text", "prompt"),
    [
        ("My answer is no.", 'Say "My answer is yes." or "My answer is no."'),
        ("Nine tired tailors took the tram.", "Repeat after me: Nine tired tailors took the tram."),
        ("No.", "Is the earth flat? Answer yes or no."),
    ],
)
def test_not_echo__allows_words_of_the_prompt_where_it_asks_for_them(text, prompt):
    assert not_echo(text, prompt=prompt) == 1


@pytest.mark.parametrize(
    "text",
    [
        "Père Noël, 42 m², μm and Δx, \u211d and \ufb01ne — “yes” ☔ 👩‍🌾",
        "Это обычный текст. 这是普通的文字。 می‌خواهم",
        "E=mc²; \u03b1-Strahlen; naïve café (e\u0301)",
        "1\ufe0f\u20e3 Stir. #\ufe0f\u20e3 \u00a9\ufe0f",  # keycaps
        "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",  # the flag of Scotland
        "\U0001d487(\U0001d465) = \U0001d44e\U0001d44f over \U0001d53d\u2082\u207f",  # f(x) = ab over F2^n
        "\uff34\u30b7\u30e3\u30c4",  # a full-width T in a Japanese word
        "\u200f\u05e9\u05dc\u05d5\u05dd",  # a direction mark in Hebrew
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
    # 28 of the 39 characters (the blank before them, too) are filler: 11 are left, and 0.6 of all would be enough
    text = "Rain falls. I hope this helps you much."
    assert no_filler(text) == pytest.approx(11 / 39 / 0.6)
    assert no_filler(text, prompt='End with "I hope this helps you much."') == 1


@pytest.mark.parametrize(
    "text",
    [
        "The user wants to hear about rain. They also want a cloud in it.",
        "User: Explain rain.\nAssistant: Sure.",
        "A good answer would mention rain. Readers would like it.",
        "I would rather not talk about rain. Ask somebody else.",
        "In a moment I will get to rain. First I want to rest.",
        "Order your rain today. Visit our shop and save with this offer.",
        "What is rain? Who knows? Why do you ask?",
    ],
)
def test_no_filler__needs_an_answer(text):
    assert no_filler(text, prompt=RAIN) < 0.9


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("Q: Do you miss the sea?\nA: No.\nQ: And the gold?\nA: Spent.", "Write an interview with a pirate."),
        ("Our shop opens today. Buy now and get a free roll.", "Write an advert for a bakery."),
        ("I am sorry that I was late. My train stood still for an hour.", "Write an apology to a colleague."),
        ("Constraints are rules that each row obeys.", "Explain what constraints are in a database."),
    ],
)
def test_no_filler__allows_what_is_asked_for(text, prompt):
    assert no_filler(text, prompt=prompt) == 1


def test_prose__requires_function_words_but_not_only_those():
    assert prose("cloud sea rain drop storm") == 0
    assert prose("of the and to in is it with by") == 0


def test_prose__requires_possible_neighbours():
    # "the of", "of and", "and of", "The." : 4 of the 8 pairs that begin with a grammar word are impossible
    assert prose("The of rain and of and sea is big the.") < 0.5


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("apple, cherry, fig", "List three fruits."),
        ('{"name": "Rex", "age": 4}', "Describe a dog as JSON."),
        ("for i in range(9):\n    print(i)", "Count to nine in Python."),
        ("Sonnenlicht wird in der Luft gestreut und das blaue am meisten.", "Warum ist der Himmel blau?"),
        ("Sonnenlicht wird in der Luft gestreut und das blaue am meisten.", "Why is the sky blue? Answer in German."),
        ("阳光里有各种颜色。", "为什么天空是蓝色的?"),
        ("Neon on wet asphalt\nSirens far off", "Write a poem about the city."),
        ("Paris", "Name a city."),
    ],
)
def test_prose__follows_the_language_and_the_form_of_the_prompt(text, prompt):
    assert prose(text, prompt=prompt) == 1


@pytest.mark.parametrize(
    "text",
    [
        "rain cloud sea apple bridge candle doctor engine forest guitar",
        "Die Sonne wärmt das Meer und der Dampf steigt auf. Dann fällt der Regen auf die Felder.",
        "Rain falls. Das Meer ist warm und der Dampf steigt mit der Luft auf in die Höhe.",
        "Rain is when the. The sea goes to the. It falls on a.",
        "The rain is a brendle of the snomp that krolfed from the twazzet to the glorster and the plendle.",
        "Rain and cloud and sea and bread and stone and house and paper and glass and more.",
        "```\nrain cloud sea apple bridge candle doctor engine forest guitar\n```",
    ],
    ids=["words", "foreign", "half foreign", "unfinished", "invented", "chain", "fenced"],
)
def test_prose__falls_for_text_that_only_looks_like_an_answer(text):
    assert prose(text, prompt=RAIN) < 0.7


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


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("Le cafe est ferme l'ete. Réécrivez ce texte avec les accents.", "Le café est fermé l'été."),
        ("El cafe esta cerrado. Reescribe la frase con tildes.", "El café está cerrado."),
        (
            'Given the sentence "The train to Bern was late again", what comes next?',
            "The train to Bern was late again.",
        ),
        ("What am I? I have hands and cannot clap.", "A clock."),
        ("Name exactly 3 rivers of France.", "* Loire\n* Rhône\n* Seine"),
    ],
)
def test_guards__take_nothing_from_short_answers_and_copies_that_the_prompt_asks_for(prompt, text):
    assert not_echo(text, prompt=prompt) == length_floor(text, minimum=12, prompt=prompt) == 1


def test_few_repetitions__a_refrain_may_return_in_other_languages():
    song = "Viens danser sous la pluie\nViens danser avec moi\n" * 2 + "La lune est à minuit un peu plus près de toi."
    assert few_repetitions(song, prompt="Décris la pluie.") < 0.9
    assert few_repetitions(song, prompt="Écris une chanson sur la pluie.") == 1


def test_prose__judges_english_in_the_lines_that_are_english_alone():
    finnish = "He ovat lähteneet kotiin, koska ulkona on kylmä. Talossa on lämmin, ja he keittävät teetä. Se on hyvää."
    assert prose(finnish, prompt="Racontez une soirée d'hiver. Répondez en finnois.") == 1
    repeated = "Explain why the sea is salty, in Hindi.\n\n" + "नदियाँ चट्टानों से नमक लाती हैं और वह समुद्र में रह जाता है। " * 4
    assert prose(repeated, prompt="Repeat the request, then answer it in Hindi.") == 1


def test_no_filler__an_explanation_speaks_of_its_subject_and_not_of_the_writer():
    text = "I sat by the window and watched the rain. My tea went cold while I thought of clouds. Rain fell for hours."
    # sentences of 41 and 44 characters speak of the writer, and one of 21 does not; 40 percent may
    assert no_filler(text, prompt="Explain how rain forms.") == pytest.approx((21 / 106) / 0.6)
    for prompt in ("Write a story about rain.", "How do you like rain?", "Describe a rainy day.", ""):
        assert no_filler(text, prompt=prompt) == 1
