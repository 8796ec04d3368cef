"""Toy tasks: problems small enough that a model of a million parameters learns them."""
