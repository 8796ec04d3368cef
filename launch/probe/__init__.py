"""Probe commands: the attention of one text, head roles, retrieval heads and a null baseline."""
