"""Benchmarks: the cost of each part, and the gain from each credit rule and router."""
