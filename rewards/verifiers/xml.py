"""XML: a completion that holds a well-formed document, its elements and their attributes."""

from dataclasses import dataclass
from itertools import accumulate, pairwise
from xml.parsers import expat

from rewards.count_verdicts import Relation, at_place, counted, every_count, required
from rewards.markup import blocks_of, fenced_content
from rewards.verdict import Span, Verdict
from rewards.verifier_args import Count, Phrases


@dataclass(frozen=True, kw_only=True, slots=True)
class Element:
    """An element of a document.

    Example:
        Element(name="book", span=(0, 25), num_attributes=2)     # from `<book id="7" lang="en" />`
    """

    name: str
    span: Span
    """Of the opening tag."""
    num_attributes: int


def elements_in(text: str) -> list[Element]:
    """The elements of the first well-formed document: the whole text, a fence, or from the first < to the last >."""
    outer = (text.find("<"), text.rfind(">") + 1)
    for span in (outer, *(fenced_content(text, fence) for fence in blocks_of(text, "fence"))):
        if 0 <= span[0] < span[1] and (found := _parse(text, span)):
            return found
    return []


def well_formed(completion: str) -> Verdict:
    """There is a well-formed document. Margin 0 or -1."""
    found = elements_in(completion)
    return at_place(bool(found), found[0].span if found else None)


def required_elements(completion: str, *, elements: Phrases) -> Verdict:
    """The document has an element of each name. Margin: minus the names missing."""
    first = {element.name: element.span for element in reversed(elements_in(completion))}
    return required([first.get(name) for name in elements])


def num_attributes(completion: str, *, num_attributes: Count, relation: Relation) -> Verdict:
    """There is a document, and its elements have so many attributes together. Margin in attributes, -1 without one."""
    found = elements_in(completion)
    tags = [element.span for element in found for _ in range(element.num_attributes)]
    verdict = counted(tags, num_attributes, relation)
    evidence = tuple(dict.fromkeys(verdict.evidence))
    return Verdict(satisfied=verdict.satisfied, margin=verdict.margin, evidence=evidence) if found else _NO_DOCUMENT


def attributes_per_element(completion: str, *, num_attributes: Count, relation: Relation) -> Verdict:
    """There is a document, and every element has so many attributes. Margin: the worst element's, in attributes."""
    found = elements_in(completion)
    counts = [element.num_attributes for element in found]
    return every_count(completion, [element.span for element in found], counts, num_attributes, relation)


_NO_DOCUMENT = Verdict(satisfied=False, margin=-1.0, evidence=())


def _parse(text: str, span: Span) -> list[Element]:
    """Without document types: their entities can grow without bound, and may name other files."""
    document = text[slice(*span)].encode("utf-8", errors="replace")
    parser = expat.ParserCreate(encoding="utf-8")
    starts: list[tuple[str, int, int]] = []

    def refuse(*_: object) -> None:
        raise expat.ExpatError("document types are not read")

    parser.StartElementHandler = lambda name, given: starts.append((name, parser.CurrentByteIndex, len(given)))
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(document, True)
    except expat.ExpatError:  # the parser's way to say that this is no XML
        return []
    edges = pairwise([0, *(at for _, at, _ in starts)])
    places = accumulate((len(document[before:at].decode("utf-8")) for before, at in edges), initial=span[0])
    next(places)
    return [
        Element(name=name, span=(place, text.find(">", place) + 1), num_attributes=number)
        for (name, _, number), place in zip(starts, places, strict=True)
    ]


VERIFIERS = {
    "xml:attributes_per_element": attributes_per_element,
    "xml:num_attributes": num_attributes,
    "xml:required_elements": required_elements,
    "xml:well_formed": well_formed,
}
