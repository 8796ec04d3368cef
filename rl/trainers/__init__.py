"""Trainers: TRL's GRPO and DPO with token-level credit, routed adapters and exact resume."""
