"""Rhythm rules: the three of the preplan-and-anchor paper (arXiv 2510.13554, section 4), from FAI and WAAD."""

from jaxtyping import Float
from torch import Tensor

from attention_probes.rhythm import RhythmSettings, find_rhythm, top_share, waad_deltas
from rl.credit.inputs import CreditInputs, RuleParams
from rl.credit.rules import rule
from rl.credit.rules.parts import amplify, readings

# Axes: B completions of a micro-batch, T completion tokens.


@rule
def global_anchor(inputs: CreditInputs, params: RuleParams) -> Float[Tensor, "B T"]:
    """Amplify the tokens that later tokens attend to most (the paper's global-anchor credit)."""
    fai, _ = readings(inputs, "global_anchor")
    return amplify(top_share(fai, inputs.mask, params.q), params.gamma_amp)


@rule
def local_chunk(inputs: CreditInputs, params: RuleParams) -> Float[Tensor, "B T"]:
    """Amplify the tokens where a new chunk begins, by the change of WAAD (the paper's local-chunk credit)."""
    _, waad = readings(inputs, "local_chunk")
    return amplify(top_share(waad_deltas(waad, inputs.mask), inputs.mask, params.q), params.gamma_amp)


@rule
def coupled(inputs: CreditInputs, params: RuleParams) -> Float[Tensor, "B T"]:
    """Amplify anchors, and hand a share of a locally dominated anchor's bonus to its introducer.

    gamma_t = 1 + (gamma_amp - 1) (1[t in T \\ D] + (1 - alpha) 1[t in D] + alpha 1[t in I(D)]). The terms add, so an
    introducer that is an anchor too may exceed gamma_amp, as in the paper's formula.
    """
    fai, waad = readings(inputs, "coupled")
    settings = RhythmSettings(
        q=params.q,
        reach=params.reach,
        waad_quantile=params.waad_quantile,
        delta_quantile=params.delta_quantile,
    )
    rhythm = find_rhythm(waad, fai, inputs.mask, settings)
    bonus = (rhythm.anchors & ~rhythm.dominated).float()
    bonus += (1.0 - params.alpha) * rhythm.dominated.float() + params.alpha * rhythm.introducers().float()
    return 1.0 + (params.gamma_amp - 1.0) * bonus
