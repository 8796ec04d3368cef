"""Starting trainer ranks, on this machine or over a Ray cluster, and starting them again."""
