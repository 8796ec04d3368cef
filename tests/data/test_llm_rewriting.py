"""LLM rewriting: the messages to the language model, and the use of its answers."""

from data.llm_rewriting import attribute_describer, incompatible_pair, prompt_rewriter
from data.paraphrase import paraphrase
from data.problems import ConstraintSpec, Problem, user_text

TEXT = "Describe the rain. Use no commas. Write in capitals."


def problem() -> Problem:
    rules = ("Use no commas.", "Write in capitals.")
    spans = [(TEXT.index(rule), TEXT.index(rule) + len(rule)) for rule in rules]
    kinds = ("punctuation:no_comma", "change_case:english_capital")
    specs = tuple(
        ConstraintSpec(id=kind, kwargs={}, text=rule, spans=(span,))
        for kind, rule, span in zip(kinds, rules, spans, strict=True)
    )
    return Problem(problem_id="rain", messages=({"role": "user", "content": TEXT},), constraints=specs)


def test_paraphrase__model_gets_placeholders_for_constraints():
    messages: list[str] = []

    def ask(message: str) -> str:
        messages.append(message)
        return " Tell me what rain is like. [[2]] [[1]] "

    reworded = paraphrase(problem(), prompt_rewriter(ask))
    assert "Describe the rain. [[1]] [[2]]" in messages[0]
    assert reworded is not None and len(reworded.constraints) == 2
    assert user_text(reworded) == "Tell me what rain is like. Write in capitals. Use no commas."
    for spec in reworded.constraints:
        [(start, end)] = spec.spans
        assert user_text(reworded)[start:end] == spec.text


def test_paraphrase__rewording_that_loses_a_constraint_is_none():
    assert paraphrase(problem(), prompt_rewriter(lambda _: "Tell me about rain. [[1]]")) is None


def test_incompatible_pair__only_no_counts():
    assert incompatible_pair(problem(), lambda _: " No, they clash.") == ("Use no commas.", "Write in capitals.")
    assert incompatible_pair(problem(), lambda _: "Yes.") is None
    assert incompatible_pair(problem(), lambda _: "Hard to say.") is None


def test_attribute_describer__returns_one_property_a_line():
    answer = "1. Use a friendly tone.\n\n- speak to children\n* be brief.\nmore\n"
    assert attribute_describer(lambda _: answer, number=3)("Rain falls.") == [
        "Use a friendly tone",
        "speak to children",
        "be brief",
    ]
