"""Commands that make, check and read files of problems and pairs."""
