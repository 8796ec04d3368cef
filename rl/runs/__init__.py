"""What a run keeps: its folder, its logs, its checkpoints, its adapter; and how it is stopped."""
