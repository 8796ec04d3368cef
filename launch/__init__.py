"""Heed's starts: the command line, its recipes, and the ways to run on one machine or many."""
