"""Example: train with a credit rule of your own.

    python -m launch.examples.custom_rule

A rule is a pure function from what is known of a batch of completions to token weights, (B, T). Heed then detaches the
weights, masks padding and scales each completion's mean to 1, so a rule moves credit and never adds any.
"""

from pathlib import Path

from torch import Tensor

from attention_probes.rhythm import top_share
from launch.recipes import load_recipe
from rl.credit.inputs import CreditInputs, RuleParams
from rl.credit.rules.parts import amplify, readings
from rl.train import train


def uncertain_anchors(inputs: CreditInputs, params: RuleParams) -> Tensor:
    """Amplify the tokens that the policy was unsure of and that later tokens attend to most: entropy times FAI."""
    fai, _ = readings(inputs, "uncertain_anchors")
    return amplify(top_share(inputs.entropy * fai, inputs.mask, params.q), params.gamma_amp)


def main(folder: Path = Path("runs/custom-rule"), recipe: str = "tiny") -> Path:
    """Train and return the run folder; `rollouts.jsonl` in it holds the token weights of recorded completions."""
    rule = f"credit.rule={Path(__file__).resolve()}:uncertain_anchors"
    return train(load_recipe(recipe, [rule, f"run.folder={folder}"]))


if __name__ == "__main__":
    print(main())
