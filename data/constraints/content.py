"""Content constraint kinds: placeholders, numbers, dates, links, and answers of several parts."""

from data.constraints.taxonomy import counting_kind, draw_choice, fixed_kind, template_kind

KINDS = (
    template_kind(
        "detectable_content:number_placeholders",
        "content",
        draw_choice("num_placeholders", (2, 3)),
        "use at least {num_placeholders} placeholders in square brackets, such as [name]",
        "include {num_placeholders} or more placeholders like [address]",
        "leave at least {num_placeholders} blanks such as [date] to fill in",
    ),
    counting_kind("content:numbers", "content", "num_numbers", "number", numbers=(1, 3), where=" in digits"),
    counting_kind("content:emojis", "content", "num_emojis", "emoji", numbers=(1, 3)),
    counting_kind(
        "content:links", "content", "num_links", "web address", numbers=(1, 2), where=" beginning with https://"
    ),
    template_kind(
        "content:dates",
        "content",
        lambda rng, instruction: {
            "style": rng.choice(("YYYY-MM-DD", "DD.MM.YYYY", "Month D, YYYY")),
            "num_dates": 1,
            "relation": "at least",
        },
        "include {relation} {num_dates} date written as {style}",
        "mention {relation} {num_dates} date in the form {style}",
        "use {relation} {num_dates} date, styled {style}",
    ),
    fixed_kind("content:no_digits", "content", "use no digits", "avoid digits", "write all numbers in words"),
    fixed_kind(
        "content:ascii_only",
        "content",
        "use plain ASCII characters only",
        "avoid every character outside ASCII",
        "keep to ASCII characters",
    ),
    fixed_kind(
        "combination:two_responses",
        "content",
        "give two different answers divided by ******",
        "write two answers with ****** between them",
        "offer two responses and put six asterisks ****** between them",
    ),
    template_kind(
        "combination:parts",
        "content",
        lambda rng, instruction: {"divider": rng.choice(("---", "+++", "###")), "num_parts": rng.randint(2, 3)},
        "write {num_parts} different parts divided by {divider}",
        "split your answer into {num_parts} parts with {divider} between them",
        "give {num_parts} parts, divided by {divider}",
    ),
    fixed_kind(
        "combination:no_repeated_sentence",
        "content",
        "repeat no sentence",
        "let every sentence be a new one",
        "avoid saying a sentence twice",
    ),
    template_kind(
        "combination:repeat_prompt",
        "content",
        lambda rng, instruction: {"prompt_to_repeat": instruction.text},
        "first repeat '{prompt_to_repeat}' word for word, then answer",
        "begin by repeating '{prompt_to_repeat}' without change",
        "open with the words '{prompt_to_repeat}', then give your answer",
    ),
)
