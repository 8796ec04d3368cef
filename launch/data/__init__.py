"""Bodies of `heed data`: files of prompts and pairs, made and checked."""
