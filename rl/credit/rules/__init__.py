"""Rules: pure functions from what is known of a completion's tokens to their weights."""

import importlib
import pkgutil

from rl.config.credit_rules import CREDIT_RULES
from rl.credit.inputs import Rule

_FUNCTIONS: dict[str, Rule] = {}


def rule(function: Rule) -> Rule:
    """Register a function as the rule of its name. Raises ValueError when `CREDIT_RULES` has no row for it."""
    name = function.__name__
    if name not in CREDIT_RULES:
        raise ValueError(f"the rule {name} has no row in CREDIT_RULES of rl/config/credit_rules.py; add one")
    _FUNCTIONS[name] = function
    return function


def rule_functions() -> dict[str, Rule]:
    """Return every rule of this folder's files by name."""
    for module in pkgutil.iter_modules(__path__, prefix=f"{__name__}."):
        importlib.import_module(module.name)
    return dict(_FUNCTIONS)
