"""Examples: short complete scripts to copy, each run by the tests as `python -m launch.examples.NAME` runs it."""
