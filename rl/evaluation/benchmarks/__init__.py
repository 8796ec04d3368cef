"""Benchmark runs: a model's answers to a published test set, judged as its paper judges them."""
