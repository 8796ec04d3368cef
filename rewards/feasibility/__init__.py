"""Feasibility: combinatorial problems, the two texts of their solutions, and which rules such a text keeps."""
