"""Small helpers for every room; none of them is about reinforcement learning."""
