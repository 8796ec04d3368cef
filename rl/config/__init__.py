"""Settings: everything a run decides, with its default and its allowed values, and no torch."""
