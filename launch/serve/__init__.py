"""Serving: which adapters of a bundle answer a prompt, and a gateway that routes requests to them."""
