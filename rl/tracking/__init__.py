"""Tracking: metrics and pictures of a run while it trains."""
