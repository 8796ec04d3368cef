"""Attention probes: exact readings of a transformers decoder's attention, taken during an ordinary forward pass."""
