"""Models and their tokenizers: loading, LoRA, the text of tokens, log-probs."""
