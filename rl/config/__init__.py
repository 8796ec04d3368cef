"""Settings: every decision a run takes, with its default and its allowed values; imports no torch."""
