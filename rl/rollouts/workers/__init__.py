"""Rollout workers: Ray actors that sample with the adapter they were sent, and prove it."""
