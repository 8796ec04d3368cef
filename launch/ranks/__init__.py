"""Trainer ranks: started on this machine or over a Ray cluster, and started again."""
