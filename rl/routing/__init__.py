"""Routing: which LoRA adapters answer a prompt, and how much of each."""
