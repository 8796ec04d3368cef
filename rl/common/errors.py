"""Failures: what ends a run, told in one sentence."""


class RunFailure(RuntimeError):
    """The run cannot go on.

    The message names the worker, the step, the groups and the first cause; whoever knows the run folder adds how to
    continue.
    """
