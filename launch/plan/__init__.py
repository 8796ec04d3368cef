"""The plan: what a recipe would do, what it would need and whether that is there, before anything starts."""
