"""The command line: parsing only; each command's body lives elsewhere."""
