"""Rewards: constraints checked by program, with verdict, margin and the text that proves it."""
