"""Vocabulary: what each token spells on its own, looked up rather than decoded again and again."""

import unicodedata
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Bool
from tokenizers.decoders import ByteLevel
from torch import Tensor
from transformers import PreTrainedTokenizerBase

UNFINISHED = "\ufffd"
"""What a tokenizer decodes a character to while some of its bytes are missing."""


class TextLengths:
    """How many characters each token adds to a text, filled in as tokens are met."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase):
        self.tokenizer = tokenizer
        self.context_free = spells_bytes(tokenizer)
        self._known = _KNOWN_LENGTHS.setdefault(tokenizer, {})

    def __getitem__(self, token: int) -> int | None:
        """Return the number of characters; None if it depends on the tokens before or after."""
        if not self.context_free:
            return None
        if token not in self._known:
            text = self.tokenizer.decode([token], skip_special_tokens=True)
            self._known[token] = None if UNFINISHED in text else len(text)
        return self._known[token]


_KNOWN_LENGTHS: WeakKeyDictionary[PreTrainedTokenizerBase, dict[int, int | None]] = WeakKeyDictionary()


def spells_bytes(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Return whether a text is nothing but the bytes of its tokens, one after the other."""
    decoder = getattr(getattr(tokenizer, "backend_tokenizer", None), "decoder", None)
    return isinstance(decoder, ByteLevel) and not tokenizer.clean_up_tokenization_spaces


def punctuation_mask(tokenizer: PreTrainedTokenizerBase) -> Bool[Tensor, " V"]:
    """Mark the tokens of the vocabulary that are punctuation."""
    texts = tokenizer.batch_decode([[token] for token in range(len(tokenizer))], skip_special_tokens=True)
    return torch.tensor([is_punctuation(text) for text in texts], dtype=torch.bool)


def is_punctuation(text: str) -> bool:
    """Return whether a token's text is punctuation and white space, with some punctuation."""
    return bool(text.strip()) and all(unicodedata.category(character).startswith("P") for character in text.strip())
