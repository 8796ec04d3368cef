"""Small things that every room may use; nothing in it knows about reinforcement learning."""
