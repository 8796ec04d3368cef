"""Checks: settings that are each allowed, but not together."""
