"""XML verifiers: a completion that contains a well-formed document, its elements and their attributes."""

from dataclasses import dataclass
from itertools import accumulate, pairwise
from xml.parsers import expat

from rewards.count_verdicts import Relation, count_verdict, each_part_count_verdict, position_verdict, required_verdict
from rewards.markup import blocks_of, fenced_content
from rewards.verdict import Span, Verdict
from rewards.verifier_args import Count, Phrases


@dataclass(frozen=True, kw_only=True, slots=True)
class Element:
    """An element of an XML document.

    Example:
        Element(name="book", span=(0, 25), num_attributes=2)     # from `<book id="7" lang="en" />`
    """

    name: str
    span: Span
    """The span of the opening tag."""
    num_attributes: int


def elements_in(text: str) -> list[Element]:
    """Return the elements of the first well-formed document.

    The document is the whole text, a fence, or the text from the first < to the last >.
    """
    outer = (text.find("<"), text.rfind(">") + 1)
    for span in (outer, *(fenced_content(text, fence) for fence in blocks_of(text, "fence"))):
        if 0 <= span[0] < span[1] and (elements := _parse(text, span)):
            return elements
    return []


def well_formed(completion: str) -> Verdict:
    """Check that there is a well-formed document. Margin 0 or -1."""
    elements = elements_in(completion)
    return position_verdict(bool(elements), elements[0].span if elements else None)


def required_elements(completion: str, *, elements: Phrases) -> Verdict:
    """Check that the document has an element of each name. Margin: minus the missing names."""
    first = {element.name: element.span for element in reversed(elements_in(completion))}
    return required_verdict([first.get(name) for name in elements])


def num_attributes(completion: str, *, num_attributes: Count, relation: Relation) -> Verdict:
    """Check the number of attributes of all elements together. Margin in attributes, -1 without a document."""
    elements = elements_in(completion)
    tags = [element.span for element in elements for _ in range(element.num_attributes)]
    verdict = count_verdict(tags, num_attributes, relation)
    evidence = tuple(dict.fromkeys(verdict.evidence))
    return Verdict(satisfied=verdict.satisfied, margin=verdict.margin, evidence=evidence) if elements else _NO_DOCUMENT


def attributes_per_element(completion: str, *, num_attributes: Count, relation: Relation) -> Verdict:
    """Check the number of attributes of every element. Margin: the worst element's, in attributes."""
    elements = elements_in(completion)
    counts = [element.num_attributes for element in elements]
    return each_part_count_verdict(completion, [element.span for element in elements], counts, num_attributes, relation)


_NO_DOCUMENT = Verdict(satisfied=False, margin=-1.0, evidence=())


def _parse(text: str, span: Span) -> list[Element]:
    """Return the elements of a well-formed document, or nothing if it is not well-formed.

    Document types are refused: their entities can grow without bound, and may name other files.
    """
    document = text[slice(*span)].encode("utf-8", errors="replace")
    parser = expat.ParserCreate(encoding="utf-8")
    starts: list[tuple[str, int, int]] = []

    def refuse(*_: object) -> None:
        raise expat.ExpatError("document types are not supported")

    parser.StartElementHandler = lambda name, attributes: starts.append(
        (name, parser.CurrentByteIndex, len(attributes))
    )
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(document, True)
    except expat.ExpatError:  # the text is not well-formed XML
        return []
    edges = pairwise([0, *(index for _, index, _ in starts)])
    offsets = accumulate((len(document[before:index].decode("utf-8")) for before, index in edges), initial=span[0])
    next(offsets)
    return [
        Element(name=name, span=(offset, text.find(">", offset) + 1), num_attributes=number)
        for (name, _, number), offset in zip(starts, offsets, strict=True)
    ]


VERIFIERS = {
    "xml:attributes_per_element": attributes_per_element,
    "xml:num_attributes": num_attributes,
    "xml:required_elements": required_elements,
    "xml:well_formed": well_formed,
}
