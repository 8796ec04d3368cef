"""Parts of rules: the readings they start from, and the weights of amplified tokens."""

from jaxtyping import Bool, Float
from torch import Tensor

from rl.common.errors import UserError
from rl.credit.inputs import CreditInputs, Rule, RuleParams

# Axes: B completions of a micro-batch, T completion tokens.


def readings(inputs: CreditInputs, rule: str) -> tuple[Float[Tensor, "B T"], Float[Tensor, "B T"]]:
    """Return FAI and WAAD. Raises ValueError when the probe recorded nothing."""
    if inputs.fai is None or inputs.waad is None:
        raise ValueError(f"the rule {rule} needs probe readings, and the probe recorded none")
    return inputs.fai, inputs.waad


def amplify(chosen: Bool[Tensor, "B T"], gamma_amp: float) -> Float[Tensor, "B T"]:
    """Return gamma_t = 1 + (gamma_amp - 1) * 1[t chosen] (arXiv 2510.13554, section 4)."""
    return 1.0 + (gamma_amp - 1.0) * chosen.float()


def base_rule(params: RuleParams, rule: str) -> Rule:
    """Return the rule that a control follows. Raises UserError when none was given."""
    if params.base is None:
        raise UserError(f"the rule {rule} needs a rule to be the control of; set credit.base")
    return params.base
