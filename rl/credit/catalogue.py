"""The catalogue: every rule by the name that a config gives it, and what it needs to be told."""

from rl.credit.constraint import combined, constraint
from rl.credit.controls import bottom, entropy, position, random, shuffled
from rl.credit.rules import Rule, coupled, global_anchor, local_chunk, uniform

BASES: dict[str, Rule] = {rule.__name__: rule for rule in (global_anchor, local_chunk, coupled)}
"""Rules that `shuffled` and `all_heads` can be the control of."""

RULES: dict[str, Rule] = BASES | {
    rule.__name__: rule for rule in (uniform, constraint, combined, random, shuffled, position, entropy, bottom)
}
"""By name; `all_heads` is its base rule with other readings, so it has no function of its own."""

READING_RULES = frozenset(BASES) | {"bottom", "shuffled", "all_heads"}
"""Rules without a meaning where the probe did not listen; `constraint` and `combined` use readings if there are any."""

EVIDENCE_RULES = frozenset({"constraint", "combined"})
"""Rules that look at the verdicts, and give every constraint a channel."""
