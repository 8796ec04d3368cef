"""Rewards: constraints checked by programs, each giving a verdict, a margin and the text that proves it."""
