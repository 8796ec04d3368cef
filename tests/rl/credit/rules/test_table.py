"""The table of rules against their functions: each has one, which needs and reads what its row says."""

import shutil
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import Tensor

import rl
from launch.plan.unused import unused_settings
from rl.config.credit import CreditConfig
from rl.config.credit_rules import BASES, CREDIT_RULES, RULE_PARAMS, params_read
from rl.config.load import parse_config
from rl.credit.inputs import CreditInputs, Evidence, RuleParams
from rl.credit.rules import rule, rule_functions

INPUTS = CreditInputs(
    mask=torch.ones(1, 6, dtype=torch.bool),
    entropy=torch.rand(1, 6, generator=torch.Generator().manual_seed(0)),
    fai=torch.rand(1, 6, generator=torch.Generator().manual_seed(1)),
    waad=torch.rand(1, 6, generator=torch.Generator().manual_seed(2)),
    evidence=Evidence(tokens=torch.zeros(1, 2, 6, dtype=torch.bool), failed=torch.ones(1, 2, dtype=torch.bool)),
)
SETTINGS = {field.name for field in fields(RuleParams)} - {"generator"}


class RecordingParams(RuleParams):
    """Params that note which settings were read."""

    read: ClassVar[set[str]] = set()

    def __getattribute__(self, name: str):
        if name in SETTINGS:
            type(self).read.add(name)
        return super().__getattribute__(name)


def base_without_params(inputs: CreditInputs, params: RuleParams) -> Tensor:
    return torch.ones(inputs.mask.shape)


def make_params() -> RuleParams:
    RecordingParams.read = set()
    return RecordingParams(q=0.5, gamma_amp=1.5, generator=torch.Generator(), base=base_without_params)


def test_table__every_row_has_its_function_and_every_function_its_row():
    assert set(rule_functions()) == set(CREDIT_RULES)


@pytest.mark.parametrize("name", CREDIT_RULES)
def test_function__reads_the_settings_of_its_row(name):
    rule_functions()[name](INPUTS, make_params())
    assert RecordingParams.read == CREDIT_RULES[name].params


def test_table__settings_are_those_of_config_and_params():
    assert RULE_PARAMS == SETTINGS
    assert set(CreditConfig.model_fields) >= RULE_PARAMS


@pytest.mark.parametrize("name", CREDIT_RULES)
def test_function__needs_what_its_row_says(name):
    function, row = rule_functions()[name], CREDIT_RULES[name]
    params = replace(make_params(), base=rule_functions()["global_anchor"])
    for need, without in (
        ("probe", replace(INPUTS, fai=None, waad=None)),
        ("evidence", replace(INPUTS, evidence=None)),
    ):
        if need in row.needs:
            with pytest.raises(ValueError, match="needs"):
                function(without, params)
        else:
            function(without, params)


def test_rule__refuses_a_function_without_a_row():
    def unlisted(inputs: CreditInputs, params: RuleParams) -> Tensor: ...

    with pytest.raises(ValueError, match="the rule unlisted has no row in CREDIT_RULES"):
        rule(unlisted)


def test_bases__are_the_rules_of_the_rhythm():
    assert BASES == ("global_anchor", "local_chunk", "coupled")


def test_params_read__a_control_reads_what_its_base_reads():
    assert params_read("shuffled", "global_anchor") == {"base", "q", "gamma_amp"}
    assert params_read("all_heads", "coupled") == {"base", *CREDIT_RULES["coupled"].params}


@pytest.mark.parametrize("name", CREDIT_RULES)
def test_unused_settings__are_exactly_those_that_the_rule_does_not_read(name):
    changed = {"alpha": 0.3, "reach": 2, "waad_quantile": 0.4, "delta_quantile": 0.4}
    changed |= {"evidence_weight": 2.0, "gamma_amp": 2.0}
    tree = {"credit": {"rule": name, "base": "coupled", **changed}, "probe": {"roles": "roles.json"}}
    unused = {sentence.partition("=")[0] for sentence in unused_settings(parse_config(tree))}
    assert {f"credit.{param}" for param in set(changed) - params_read(name, "coupled")} == {
        key for key in unused if key.startswith("credit.")
    }
    assert ("probe.roles" in unused) == (not CREDIT_RULES[name].needs)


@pytest.mark.parametrize(
    ("tree", "is_unused"),
    [({}, False), ({"preserve_mass": True}, True), ({"preserve_mass": False}, False)],
)
def test_unused_settings__evidence_weight_where_the_mass_is_preserved(tree, is_unused):
    config = parse_config({"credit": {"rule": "constraint", "evidence_weight": 2.0, **tree}})
    sentence = "credit.evidence_weight=2.0 is unused: the mass of each completion is preserved (credit.preserve_mass)"
    assert (sentence in unused_settings(config)) == is_unused


def test_document__has_the_table():
    lines = ["| `credit.rule` | does | needs | reads |", "|---|---|---|---|"]
    for name, row in CREDIT_RULES.items():
        needs = ", ".join(sorted(row.needs)) or "nothing"
        reads = ", ".join(f"`{param}`" for param in sorted(row.params)) or "nothing"
        lines.append(f"| `{name}`{' (control)' if row.is_control else ''} | {row.summary} | {needs} | {reads} |")
    document = Path(str(rl.__file__)).parent / "credit" / "README.md"
    assert "\n".join(lines) in document.read_text(encoding="utf-8"), "\n".join(lines)


NEW_ROW = """
CREDIT_RULES["late"] = CreditRule(summary="Amplify the last tokens.", params=AMPLIFY, is_control=True)
"""
NEW_FILE = '''"""Late tokens."""
from rl.credit.rules import rule
@rule
def late(inputs, params):
    return inputs.mask.long().cumsum(dim=1).float()
'''
TRY = """
import torch
from rl.config.load import parse_config
from rl.credit.assigner import CreditAssigner
from rl.credit.inputs import CreditInputs
from launch.plan.unused import unused_settings
config = parse_config({"credit": {"rule": "late", "alpha": 0.3}})
print(unused_settings(config))
assigner = CreditAssigner(config.credit, config.probe, seed=0)
inputs = CreditInputs(mask=torch.ones(1, 3, dtype=torch.bool), entropy=torch.zeros(1, 3))
print(assigner.weights(inputs, step=0, micro_step=0).tolist(), assigner.needs_probe)
"""


@pytest.mark.slow
def test_new_rule__takes_two_files(tmp_path):
    source = Path(str(rl.__file__)).parent
    shutil.copytree(source, tmp_path / "rl", ignore=shutil.ignore_patterns("__pycache__"))
    table = tmp_path / "rl" / "config" / "credit_rules.py"
    before, marker, after = table.read_text().partition('"""By the name of its function')
    table.write_text(before.rstrip() + NEW_ROW + marker + after)
    (tmp_path / "rl" / "credit" / "rules" / "late.py").write_text(NEW_FILE)
    for name in ("launch", "data", "rewards", "attention_probes"):
        (tmp_path / name).symlink_to(source.parent / name)
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{TRY}"
    tried = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert tried.returncode == 0, tried.stderr
    unused, weights = tried.stdout.splitlines()
    # weights 1, 2, 3 over their mean of 2
    assert weights == "[[[0.5, 1.0, 1.5]]] False"
    assert "credit.alpha=0.3 is unused: only credit.rule=coupled, combined, shuffled or all_heads reads it" in unused
