"""Languages of sentences by their function words and scripts: quick, and None wherever it is not plain."""

import re
import unicodedata
from collections import Counter
from functools import lru_cache

_WORDS = {
    "en": "the of and to in is it that was for on are with as at be this have from or by not but what all were we "
    "when your can said there use an each which she do how their if will up other about out many then them "
    "these so some her would make like him into has two more no way could people my than been who its now did "
    "get a you i he they",
    "de": "der die das und ist nicht ein eine einer einen zu den dem des mit von auf für im sich auch es ich sie wir "
    "ihr als wie bei aus oder wenn nach nur noch werden hat haben wird sind war über uns man aber dass kann "
    "durch",
    "fr": "le la les des est et un une du dans que qui il elle nous vous ne pas pour sur au aux avec ce cette sont "
    "plus par se son sa ses ou mais comme être fait tout on je leur y à où de d'un d'une c'est qu'il n'est en "
    "a nos notre vos votre ces quelle quelles quel quels comment pourquoi entre autre autres aussi",
    "es": "el la los las de que y en un una es por con no su para como más pero sus le ya o este sí porque esta "
    "entre cuando muy sin sobre también me hasta hay donde quien desde todo nos se lo del al son está",
    "it": "il lo la gli le di che e un una è per con non si del della dei delle nel nella sono come più ma anche al "
    "alla da su ci ha questo questa cui essere hanno tra quando era ai dal ed l'ha c'è mi ti loro sua suo",
    "pt": "o a os as de que e um uma é por com não do da em para no na se mais como mas dos das ao foi ou seu sua à "
    "são também nos pela pelo isso este esta está há você muito",
    "nl": "de het een en van is niet in op te dat die voor met zijn er aan om ook als bij maar naar dan nog wel uit "
    "wordt door over ze hij je was worden heeft of deze hebben ik",
    "pl": "i w na z się nie do to jest że o jak ale po co za od dla przez tak czy już był była być które który przy "
    "oraz są tego jego tylko",
    "sv": "och att det som en på är av för med den till inte har de om ett han men var sig från vi så kan man när "
    "hon ut skulle ska där eller mycket då nu",
}
LANGUAGES_OF: dict[str, list[str]] = {}
"""The languages in which a word is a function word."""
for _language, _text in _WORDS.items():
    for _word in _text.split():
        LANGUAGES_OF.setdefault(_word, []).append(_language)
MIN_WORDS = 3
"""Function words of a language that a sentence needs to be in that language."""
WORD = re.compile(
    "(?:[^\\W\\d_]|[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0dff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
    "\u200c\u200d'\u2019])+"
)
"""Letters with their marks and inner apostrophes."""


@lru_cache(maxsize=512)
def language_of_sentence(text: str, *, min_words: int = MIN_WORDS) -> str | None:
    """Return the language or, for other alphabets, the script of a text; None where too little speaks for one."""
    script = script_of(text)
    if script not in ("LATIN", None):
        return script
    words = [word.lower().replace("\u2019", "'") for word in WORD.findall(text)]
    counts = Counter(language for word in words for language in LANGUAGES_OF.get(word, ())).most_common(2)
    if not counts or counts[0][1] < min_words or (len(counts) > 1 and counts[0][1] == counts[1][1]):
        return None
    return counts[0][0]


def script_of(text: str) -> str | None:
    """Return the script of most letters: LATIN, CYRILLIC, HAN (with kana), ARABIC and so on."""
    if text.isascii():
        return "LATIN"
    letters = [character for character in text[:400] if character.isalpha()]
    if sum(letter < "\u0250" for letter in letters) * 2 >= len(letters):
        return "LATIN" if letters else None
    names = [unicodedata.name(letter, "?").split()[0] for letter in letters if letter >= "\u0250"]
    script = max(set(names), key=names.count)
    return "HAN" if script in ("CJK", "HIRAGANA", "KATAKANA") else script
