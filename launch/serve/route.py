"""Asking a bundle: which adapters answer a prompt, and how much of each."""

from pathlib import Path

from rl.models.load import load_model, load_tokenizer
from rl.models.tokenization import Prompt, encode_prompt
from rl.routing.bundle import bundle_of, load_routed, read_description


class RoutedPrompts:
    """A bundle's router over texts; the base model is loaded once."""

    def __init__(self, bundle: Path):
        base = read_description(bundle_of(bundle))["base_model"]
        self.tokenizer = load_tokenizer(base)
        self.route = load_routed(bundle, load_model(base))

    def gates(self, prompt: Prompt, task: str = "") -> dict[str, float]:
        """Adapter -> gate, the largest first. Raises ValueError when the router needs a task and gets none it knows."""
        gates = self.route.gates([encode_prompt(self.tokenizer, prompt)], [task])[0].tolist()
        return dict(sorted(zip(self.route.names, gates, strict=True), key=lambda pair: -pair[1]))


def route_command(bundle: Path, prompt: str, task: str = "") -> dict[str, float]:
    """Body of `heed route`."""
    return RoutedPrompts(bundle).gates([{"role": "user", "content": prompt}], task)
