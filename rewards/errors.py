"""Errors: the ones that the caller can mend."""


class InputError(ValueError):
    """A file, a row, a constraint or a user's verifier is wrong; the message says what to do about it.

    A plain ValueError or TypeError is a bug in the code that called.
    """
