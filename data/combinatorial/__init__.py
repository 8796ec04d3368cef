"""Combinatorial problems: instances drawn and read, put into prompts, and solved for reference."""
