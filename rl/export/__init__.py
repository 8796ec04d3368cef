"""Export: adapters and bundles re-loaded in fresh processes and compared with what was trained."""
