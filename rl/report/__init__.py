"""The report: one run, or two compared, as a single HTML file that needs no network."""
