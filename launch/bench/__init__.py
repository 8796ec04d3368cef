"""Benchmarks: what each part costs, and what each credit rule and router gains."""
