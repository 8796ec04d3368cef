"""Doctor: checks whether this machine, or the cluster it belongs to, is fit to train, and says what to do if not."""
