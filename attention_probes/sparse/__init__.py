"""Sparse attention: each block of queries reads some blocks of keys, chosen by a plan (one a file)."""
