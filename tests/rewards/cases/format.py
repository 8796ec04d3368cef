"""IFEval's formats: (kind, arguments, completion, margin, text under the evidence; ... = the whole completion)."""

STARS = "*a* and **b**"

CASES = [
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "Hi:\n* a\n  - b", 0, ["* a", "- b"]),
    ("detectable_format:number_bullet_lists", {"num_bullets": 1}, "* a\n**bold**\n--- \n* b", -1, ["* b"]),  # no rule
    ("detectable_format:number_bullet_lists", {"num_bullets": 3}, "- a", -2, []),
    ("detectable_format:constrained_response", {}, "So: My answer is no.", 0, ["My answer is no."]),
    ("detectable_format:constrained_response", {}, "My answer is never.", -1, []),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, STARS, 0, ["*a*", "**b**"]),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, "*a* ** **", -1, []),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "Day", "num_sections": 2},
        "Day 1 a Day 2 b",
        0,
        ["Day 1", "Day 2"],
    ),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "Day", "num_sections": 2},
        "DAY 1 Day two Day 3 c",
        -1,
        [],
    ),
    ("detectable_format:title", {}, "a <<Rain>> b", 0, ["<<Rain>>"]),
    ("detectable_format:title", {}, "<<  >>", -1, []),
    ("combination:two_responses", {}, "Yes.\n******\nNo.", 0, ...),
    ("combination:two_responses", {}, "Yes. ****** Yes.", -1, ...),  # twice the same
    ("combination:parts", {"divider": "---", "num_parts": 3}, "a --- b --- c", 0, ...),
    ("combination:parts", {"divider": "---", "num_parts": 3}, "a --- --- b", -2, ...),  # one missing, one blank
    ("combination:repeat_prompt", {"prompt_to_repeat": "Say hi."}, " say HI. Hi!", 0, ["say HI."]),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Say hi."}, "Hi!", -1, ["H"]),
    ("combination:no_repeated_sentence", {}, "It rains. It rained.", 0, []),
    ("combination:no_repeated_sentence", {}, "It rains. Well. It RAINS!", -1, ["It RAINS!"]),
]
