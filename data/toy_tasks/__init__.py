"""Toy tasks: problems small enough for a model of a million parameters to learn."""
