"""`heed bench gpu`: what only a GPU can tell, measured by one command in ten minutes, stage by stage."""
