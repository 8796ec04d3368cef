"""Static embedding: the mean of the vectors of a text's tokens, read from the files of the package wordllama.

The package itself is not imported: it would configure logging, and look for its tokenizer on the network.
"""

from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from tokenizers import Tokenizer

MAX_CHARACTERS = 20_000
"""Part of a text that is embedded: its topic shows by then."""


def similarity(first: str, second: str) -> float:
    """Return the cosine of the vectors of two texts, letter case ignored; 0 if one of them is blank."""
    return float(_vector(first[:MAX_CHARACTERS].lower()) @ _vector(second[:MAX_CHARACTERS].lower()))


@lru_cache(maxsize=65_536)
def num_pieces(word: str) -> int:
    """Return the number of tokens that a word is cut into: 1 or 2 for common English words."""
    return len(_tokenizer().encode(word, add_special_tokens=False).ids)


@lru_cache(maxsize=256)
def _vector(text: str) -> "np.ndarray":
    import numpy as np

    ids = _tokenizer().encode(text, add_special_tokens=False).ids
    mean = _vectors()[ids].astype(np.float32).mean(axis=0) if ids else np.zeros(_vectors().shape[1], np.float32)
    return mean / max(float(np.linalg.norm(mean)), 1e-9)


@cache
def _vectors() -> "np.ndarray":
    from safetensors.numpy import load_file

    return load_file(_package() / "weights" / "l2_supercat_256.safetensors")["embedding.weight"]


@cache
def _tokenizer() -> "Tokenizer":
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(_package() / "tokenizers" / "l2_supercat_tokenizer_config.json"))


def _package() -> Path:
    spec = find_spec("wordllama")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("the guards on_topic and prose read the files of the package wordllama; install it")
    return Path(spec.submodule_search_locations[0])
