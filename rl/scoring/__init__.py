"""Scoring: the rewards of a completion, from the verdicts on its constraints and from custom functions."""
