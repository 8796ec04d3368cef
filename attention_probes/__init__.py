"""Attention probes: what a transformers decoder looks at, read from a forward pass that happens anyway."""
