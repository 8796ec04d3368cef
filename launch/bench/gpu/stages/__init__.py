"""Stages of `heed bench gpu`: one module each, whose `measure` yields a row for everything it has measured."""
