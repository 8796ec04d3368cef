"""Requested forms: what a prompt asks an answer to look like, so that a guard does not punish what was asked for."""

import re
from functools import lru_cache
from typing import Literal

Form = Literal["short", "data", "items", "verse", "copy", "language", "dialogue", "sale", "symbols"]

LANGUAGES = """arabic bengali chinese danish dutch english farsi finnish french german greek gujarati hebrew hindi
indonesian italian japanese kannada korean malay marathi nepali norwegian persian polish portuguese punjabi romanian
russian spanish swahili swedish tamil telugu thai turkish ukrainian urdu vietnamese"""

EUROPEAN = (
    "ingl[eé]s|alem[aá]n|franc[eé]s|italiano|espa[nñ]ol|portugu[eé]s|anglais|allemand|français|italien|espagnol|portugais"
    "|englisch|deutsch|französisch|spanisch|italienisch|inglese|tedesco|francese|spagnolo|engels|duits|frans"
    "|finnois|suédois|norvégien|danois|néerlandais|polonais|russe|ukrainien|grec|turc|arabe|hébreu|persan|hindi|chinois"
    "|japonais|coréen|vietnamien|thaï|latin|swahili|roumain|hongrois|tchèque"
    "|finland[eé]s|sueco|noruego|dan[eé]s|neerland[eé]s|holand[eé]s|polaco|ruso|ucraniano|griego|turco|[aá]rabe|hebreo"
    "|persa|chino|japon[eé]s|coreano|vietnamita|tailand[eé]s|lat[ií]n|rumano|h[uú]ngaro|checo"
    "|finnisch|schwedisch|norwegisch|dänisch|niederländisch|polnisch|russisch|griechisch|türkisch|arabisch|chinesisch"
    "|japanisch|koreanisch|lateinisch"
)
"""Names of languages in other languages."""
PATTERNS: dict[Form, str] = {
    "short": r"""\b(?:another\ word|brainstorm|what\ am\ i|ask\ an?\ question|question\ to\ ask)\b
        | \bname\ (?:exactly\ )?(?:\d|two|three|four|five)\b
        | \b(?:one|single|two|three|four|five|six)[ -]word\b | \b(?:one|two|three|four|five|six)\ words\b
        | \b(?:yes\ or\ no|true\ or|word\ only|number\ only|name\ only|only\ the|just\ the|as\ brief)\b | ___
        | \b(?:choose|select|pick|fill\ in|my\ answer\ is|next\ number|regular\ expression|which\ is)\b
        | \b(?:write|give|suggest|make|invent|create|propose|think\ of|come\ up\ with|what|need|call)\b[^.?!\n]{0,40}
        \b(?:slogan|headline|title|caption|hashtag|nickname|motto|synonym|antonym|heading|tagline|name|number)s?\b
        | \bwhat\ (?:should|do)\ we\ call\b""",
    "data": r"""\b(?:json|ya?ml|xml|csv|html|css|sql|latex|regex|regular\ expression|geojson|code|function|script|query
        |program|command|shell|algorithm|unit\ test|python|java|javascript|typescript|rust|docker\w*|git|http|fizzbuzz
        |snippet|readme|implement\b[^.?!\n]{0,60}\bin\ c)\b | \.\w{2,4}\ file | `""",
    "items": r"""\b(?:lists?|bullets?|bulleted|names|keywords|tables?|tabulate|columns|ingredients?|synonyms?|antonyms?
        |hashtags?|schedule|agenda|timetable|itinerary|checklist|rank|titles|headlines|glossary|minutes|cv|resume|menu
        |outline|pros|months|countries|tools|alphabet\w*)\b
        | \b(?:suggest|recommend|name|give\ me)\b | \bwhat\ (?:are|goes|do|should)\b | \bwhat\ (?:\w+\ )?should\b
        | \bwhich\ \w+\ (?:do|should|must|are)\b | \border\ for\b""",
    "verse": r"""\b(?:poems?|haikus?|limericks?|songs?|lyrics|chorus|verses?|rap|rhymes?|lullaby|ode|sonnet|couplets?
        |acrostics?|tongue\ twisters?|ballad|riddle|jingle|hymn)\b | 俳句 | 诗
        | \b(?:poèmes?|chansons?|comptines?|berceuses?|refrains?|paroles|poemas?|canci[oó]n(?:es)?|estribillo
        |gedichte?|lied(?:er)?|poesie?|canzon[ei]|filastrocc\w+)\b""",
    "copy": r"""\b(?:repeat|rewrite|rephrase|paraphrase|correct|proofread|verbatim|word\ (?:for|by)\ word|translat\w+
        |shorten|summari[sz]e|convert|extract|elaborate|expand|complete|continue|fill|alphabetical\ order|choose|options
        |following|add\ commas|polite|times|improve|past\ tense|is\ the\ sentence|these\ sentences|this\ sentence
        |finish\ the|given\ (?:the|this)\ (?:sentence|text|paragraph|passage|phrase)|positive\ or\ negative)\b
        | \b(?:réécri\w+|récri\w+|traduis\w*|traduire|corrige\w*|répét\w+|résum\w+|complét\w+|reformul\w+|accents
        |reescrib\w+|traduc\w+|traduzc\w+|corrig\w+|corrij\w+|repit\w+|resum\w+|complet[ae]|reformul\w+|tildes|acentos
        |umschreib\w+|übersetz\w+|korrigier\w+|wiederhol\w+|riscriv\w+|traduci|ripet\w+|riassum\w+|riformul\w+)\b
        | :\s+\S+(?:\s+\S+){5}""",
    "language": rf"""\b(?:{"|".join(LANGUAGES.split())})\b
        | \b(?:languages?|translat\w+|idiomas?|langues?|sprache|lingua)\b
        | \b(?:en|in|em|auf|på)\ (?:{EUROPEAN})\b | 語で | 言語 | 英文""",
    "dialogue": r"""\b(?:dialogues?|conversations?|chat|interview|play|scene|script|transcript|q\s?&\s?a|faq|debate
        |questions?|quiz|survey|riddle|role-?play|joke)\b""",
    "sale": r"""\b(?:ads?|advert\w*|promot\w*|slogan|sell|sale|product|shop|store|business|company|startup|marketing
        |brand|e-?mail|letter|newsletter|press\ release|pitch|persuade|convince|campaign|flyer|tweet|post|blog|invit\w+
        |opening|offer|discount|buy|service|event|website)\b""",
    "symbols": r"""\b(?:emojis?|symbols|stars|formula|equation|mathematical|solve|compute|calculate|derivative|integral
        |simplify|notation|inequality|convert|how\ many|identity)\b
        | \d\ ?(?:[x\u00d7*+/]|times)\ ?\d | [²³√∫∑≤≥∈]""",
}
"""What a prompt says, in English mostly, when it asks for each form."""

MAX_OFFERED = 60
"""Most characters of an answer that a prompt offers."""
OFFER = re.compile(
    rf"(?<!\w)[\"'\u201c\u201d\u300c]([^\"\u201c\u201d\u300c\u300d\n]{{1,{MAX_OFFERED}}}?)[\"'\u201c\u201d\u300d]"
)
"""Words between quotation marks."""


@lru_cache(maxsize=1024)
def asked_forms(prompt: str) -> frozenset[Form]:
    """Return the forms that a prompt asks for."""
    return frozenset(form for form, pattern in _compiled() if pattern.search(prompt))


def asks_for(prompt: str, *forms: Form) -> bool:
    """Return whether a prompt asks for one of these forms."""
    return not asked_forms(prompt).isdisjoint(forms)


@lru_cache(maxsize=1)
def _compiled() -> tuple[tuple[Form, re.Pattern[str]], ...]:
    return tuple((form, re.compile(pattern, re.IGNORECASE | re.VERBOSE)) for form, pattern in PATTERNS.items())


def is_offered(completion: str, prompt: str) -> bool:
    """Return whether an answer is one of the answers that the prompt offers between quotation marks."""
    words = completion.strip(" \n\"'.\u201c\u201d\u300c\u300d\u3002").lower()
    return 0 < len(words) <= MAX_OFFERED and words in _offers(prompt)


@lru_cache(maxsize=1024)
def _offers(prompt: str) -> frozenset[str]:
    return frozenset(match[1].strip(" .,\u3002").lower() for match in OFFER.finditer(prompt))
