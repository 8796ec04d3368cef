"""Errors: input that the user can correct."""


class InputError(ValueError):
    """A file, a row, a constraint or a custom verifier is wrong; the message says what to do about it.

    A plain ValueError or TypeError is a bug in the calling code.
    """
