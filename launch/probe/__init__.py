"""Commands that read a model's attention: one text, head roles, a baseline."""
