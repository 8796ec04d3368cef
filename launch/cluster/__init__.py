"""The cluster: one recipe and one description of the machines, rendered into what a scheduler takes."""
