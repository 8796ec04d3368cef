"""Serving: a gateway that sends each prompt to the adapter that fits it."""
