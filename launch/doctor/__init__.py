"""The doctor: whether this machine, or the cluster it belongs to, is fit to train; each finding with its cure."""
