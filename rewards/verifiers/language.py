"""Language: what a completion is written in; its evidence is the whole text."""

from rewards.arguments import Phrase
from rewards.language import language_of
from rewards.relations import whole_text
from rewards.verdict import Verdict


def response_language(completion: str, *, language: Phrase) -> Verdict:
    """The text is in the language of this ISO 639-1 code. Margin 0 or -1. (IFEval)

    A text without a recognisable language fails; IFEval lets it pass.
    """
    return whole_text(completion, -float(language_of(completion) != language))


VERIFIERS = {"language:response_language": response_language}
