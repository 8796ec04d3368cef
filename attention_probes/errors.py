"""Errors: the ones that the caller can mend."""


class ProbeError(ValueError):
    """The model, the plan or a file does not fit the probe; the message says what to do about it."""
