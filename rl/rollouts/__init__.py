"""Rollouts: completions sampled from a named version of the policy."""
