"""Heed's composition: rollouts, rewards, probes and credit around TRL's trainers."""
