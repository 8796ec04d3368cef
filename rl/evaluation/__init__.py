"""Evaluation: a policy's answers to held-out problems, scored and shown."""
