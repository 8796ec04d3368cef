"""Prompts whose constraints are known: which rules they state, and where in the text each rule stands."""
