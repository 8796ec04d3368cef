"""Shape of a model, read from its config.json: sizes and parameter counts, without torch or weights."""

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download, try_to_load_from_cache

from rl.common.errors import UserError
from rl.common.model_names import TINY
from rl.config.model import AdapterConfig
from rl.models.builtin import builtin_path, is_builtin
from rl.models.tiny_shape import TINY_SHAPE

REQUIRED_KEYS = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size")


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """A dense decoder of the Llama kind: attention with grouped keys, a gated feed-forward part, RMS norms.

    Example:
        Shape(hidden=576, intermediate=1536, layers=30, heads=9, key_value_heads=3, head_size=64, vocabulary=49152,
              tied=True, positions=8192)
    """

    hidden: int
    intermediate: int
    layers: int
    heads: int
    key_value_heads: int
    head_size: int
    vocabulary: int
    tied: bool
    """Whether input and output embeddings are one matrix."""
    positions: int | None = None
    """Longest sequence that the model was made for, in tokens."""
    query_bias: bool = False
    """Whether the query, key and value projections have biases (Qwen2 does)."""

    def linears(self) -> dict[str, tuple[int, int]]:
        """Return module -> (inputs, outputs) of one layer's linear maps: those that `all-linear` adapts."""
        queries, keys = self.heads * self.head_size, self.key_value_heads * self.head_size
        return {
            "q_proj": (self.hidden, queries),
            "k_proj": (self.hidden, keys),
            "v_proj": (self.hidden, keys),
            "o_proj": (queries, self.hidden),
            "gate_proj": (self.hidden, self.intermediate),
            "up_proj": (self.hidden, self.intermediate),
            "down_proj": (self.intermediate, self.hidden),
        }

    @property
    def num_parameters(self) -> int:
        """Weights of the base model, embeddings and norms included."""
        biases = self.heads * self.head_size + 2 * self.key_value_heads * self.head_size if self.query_bias else 0
        layer = sum(inputs * outputs for inputs, outputs in self.linears().values()) + 2 * self.hidden + biases
        embeddings = self.vocabulary * self.hidden * (1 if self.tied else 2)
        return self.layers * layer + embeddings + self.hidden


def num_trainable(lora: AdapterConfig, shape: Shape, ranks: tuple[int, ...]) -> int:
    """Count the parameters of the adapters, `ranks` being each one's.

    Raises UserError for a module or a layer that the model does not have.
    """
    linears, names = shape.linears(), adapted_modules(lora, shape)
    if unknown := [name for name in names if name not in linears]:
        raise UserError(f"lora.target_modules: the model has no {', '.join(unknown)}; it has {', '.join(linears)}")
    layers = range(shape.layers) if lora.layers is None else lora.layers
    if outside := [layer for layer in layers if not 0 <= layer < shape.layers]:
        raise UserError(f"lora.layers: {outside} do not exist; the model has layers 0 to {shape.layers - 1}")
    matrices = sum(ranks) * sum(sum(linears[name]) for name in names)
    magnitudes = len(ranks) * sum(linears[name][1] for name in names) if lora.use_dora else 0
    return len(layers) * (matrices + magnitudes)


def adapted_modules(lora: AdapterConfig, shape: Shape) -> tuple[str, ...]:
    """Return the linear maps of a layer that have an adapter."""
    names = lora.target_modules
    if names == "all-linear":
        names = tuple(shape.linears())
    excluded = lora.exclude_modules or ()
    return tuple(name for name in ((names,) if isinstance(names, str) else names) if name not in excluded)


def shape_of(name: str) -> Shape:
    """Return the shape of a model by the name that `model.name` takes.

    It is read from the model's folder, the hub's cache, the shapes that come with Heed, or the hub, in this order.
    Raises UserError when it is in none of them, or is not a dense decoder of the Llama kind.
    """
    return parse_shape(name, config_of(name))


def parse_shape(name: str, config: dict[str, Any]) -> Shape:
    """Return the shape in a config.json. Raises UserError, naming what does not fit."""
    missing = [key for key in REQUIRED_KEYS if key not in config]
    experts = [key for key in config if "experts" in key]
    if missing or experts:
        reason = f"its config has no {', '.join(missing)}" if missing else f"it has experts ({', '.join(experts)})"
        raise UserError(f"model {name} cannot be planned: {reason}; dense decoders of the Llama kind can")
    heads = config["num_attention_heads"]
    return Shape(
        hidden=config["hidden_size"],
        intermediate=config["intermediate_size"],
        layers=config["num_hidden_layers"],
        heads=heads,
        key_value_heads=config.get("num_key_value_heads") or heads,
        head_size=config.get("head_dim") or config["hidden_size"] // heads,
        vocabulary=config["vocab_size"],
        tied=config.get("tie_word_embeddings", True),
        positions=config.get("max_position_embeddings"),
        query_bias=config.get("attention_bias", False) or config.get("model_type") == "qwen2",
    )


def config_of(name: str) -> dict[str, Any]:
    """Return a model's config.json. Raises UserError when it is found nowhere."""
    if name == TINY:
        return TINY_SHAPE
    if (folder := model_folder(name)) is not None:
        return json.loads((folder / "config.json").read_text(encoding="utf-8"))
    shipped = files("launch.plan").joinpath("shapes", f"{name.replace('/', '--')}.json")
    if shipped.is_file():
        return json.loads(shipped.read_text(encoding="utf-8"))
    try:
        return json.loads(Path(hf_hub_download(name, "config.json")).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"model {name} cannot be planned: its config.json is neither in a folder of that name nor in the hub's "
            f"cache, and the hub does not answer ({reason}); name a folder, or run `hf download {name} config.json`"
        ) from error


def model_folder(name: str) -> Path | None:
    """Return the folder on this machine that holds the model's config.json, if there is one."""
    if is_builtin(name):
        folder = builtin_path()
    elif Path(name).expanduser().is_dir():
        folder = Path(name).expanduser()
    else:
        cached = try_to_load_from_cache(name, "config.json") if name.count("/") <= 1 else None
        folder = Path(cached).parent if isinstance(cached, str) else Path(name)
    return folder if (folder / "config.json").is_file() else None
