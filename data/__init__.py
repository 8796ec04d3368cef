"""Data: prompts with known constraints, and where in the prompt each constraint is stated."""
