"""Plan: what a recipe would do and need, and whether the machine has it, before anything starts."""
