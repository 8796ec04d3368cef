"""Start and end: (kind, arguments, completion, margin, text under the evidence; ... = the whole completion)."""

CASES = [
    ("content:starts_with", {"phrase": "In"}, "\n In short.", 0, ["In"]),
    ("content:starts_with", {"phrase": "In"}, "Indeed.", -1, ["I"]),  # not as a word of its own
    ("content:starts_with", {"phrase": "In"}, "in short.", -1, ["i"]),
    ("content:ends_with", {"phrase": "the end."}, "That is the end.", 0, ["the end."]),
    ("content:ends_with", {"phrase": "end"}, "Send", -1, ["d"]),
    ("startend:end_checker", {"end_phrase": "The End."}, '"It is the end."', 0, ["the end."]),
    ("startend:end_checker", {"end_phrase": "The end."}, "The end. Really", -1, ["y"]),
    ("startend:quotation", {}, ' "Yes." ', 0, ['"', '"']),
    ("startend:quotation", {}, '"Yes.', -1, ["."]),
    ("startend:quotation", {}, '"', -1, ['"']),  # one mark cannot be both
    ("content:delimited", {"opening": "<<", "closing": ">>"}, "<<yes>>", 0, ["<<", ">>"]),
    ("content:delimited", {"opening": "<<", "closing": ">>"}, "yes", -2, ["y", "s"]),
    ("startend:first_word", {"word": "rain"}, '"Rain" falls', 0, ["Rain"]),
    ("startend:first_word", {"word": "rain"}, "Rainy day", -1, ["Rainy"]),
    ("startend:last_word", {"word": "sea"}, "To the sea!", 0, ["sea"]),
    ("startend:last_word", {"word": "sea"}, "The sea is wide.", -1, ["wide"]),
    ("startend:same_first_and_last_word", {}, "Rain makes rain.", 0, ["rain"]),
    ("startend:same_first_and_last_word", {}, "Rain", -1, ["Rain"]),
    ("startend:each_line_starts", {"prefix": "> "}, "> a\n\n> b", 0, ...),
    ("startend:each_line_starts", {"prefix": "> "}, "> a\nb", -1, ["b"]),
]
