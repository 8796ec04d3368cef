"""Cluster: a recipe and a description of the machines, rendered into the file that a scheduler takes."""
