"""Format constraints: titles, lists, highlights and other structure of an answer."""

from data.constraints.taxonomy import Arguments, Kind, always, count, nothing


def _say_highlights(kwargs: Arguments) -> list[str]:
    parts = count(kwargs["num_highlights"], "part")
    return [
        f"highlight at least {parts} with asterisks, like *this*",
        f"put *asterisks* around at least {parts} of your answer",
        f"mark at least {parts} as *highlighted*",
    ]


def _say_bullets(kwargs: Arguments) -> list[str]:
    points = count(kwargs["num_bullets"], "bullet point")
    return [
        f"give exactly {points}, each on its own line after a *",
        f"answer in exactly {points} that begin with *",
        f"use exactly {points} such as * this one",
    ]


KINDS = (
    Kind(
        id="detectable_format:title",
        category="format",
        draw=nothing,
        say=always(
            "give a title in double angle brackets, such as <<title>>",
            "add a title wrapped like <<this>>",
            "include a <<title>> in double angle brackets",
        ),
        short=True,
    ),
    Kind(
        id="detectable_format:number_highlighted_sections",
        category="format",
        draw=lambda rng, instruction: {"num_highlights": rng.randint(1, 2)},
        say=_say_highlights,
        short=True,
    ),
    Kind(
        id="detectable_format:number_bullet_lists",
        category="format",
        draw=lambda rng, instruction: {"num_bullets": rng.randint(2, 3)},
        say=_say_bullets,
        short=True,
    ),
)
