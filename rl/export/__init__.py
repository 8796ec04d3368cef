"""Export: adapters and bundles are re-loaded in fresh processes and compared with what was trained."""
