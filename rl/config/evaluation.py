"""Names of the strategies by which `heed eval` has a benchmark answered."""

from typing import Literal

StrategyName = Literal["direct", "think", "few_shot", "self_reflect", "self_select", "classifier"]
"""`think` has the model think first, `direct` not; `few_shot` shows it examples and `self_reflect` has it check its
answer; `self_select` lets it decide whether to think, `classifier` a trained selector (arXiv 2505.11423, section 5)."""
