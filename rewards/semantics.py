"""Semantics: whether a verifier checks what a constraint's sentence says, or what the published checker does."""

from typing import Literal

Semantics = Literal["reward", "eval"]
"""`reward`: what the sentence says, so that text without content of its own earns nothing; for training.

`eval`: what IFEval's and IFBench's own checkers do, to the letter; for figures that are compared with published ones.
"""
