"""The report: one run, or two beside each other, as a single HTML file that needs no network."""
