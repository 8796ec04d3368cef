"""Errors that the caller can correct."""


class ProbeError(ValueError):
    """The model, the plan or a file does not fit the probe; the message says what to do about it."""
