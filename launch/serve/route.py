"""Routing of single prompts: which adapters of a bundle answer one, and how much of each."""

from pathlib import Path

from rl.common.errors import UserError
from rl.config.model import ModelConfig
from rl.models.load import configured_tokenizer, load_model
from rl.models.tokenization import Prompt, encode_prompt
from rl.routing.bundle import bundle_of, load_routed, read_description


class RoutedPrompts:
    """A bundle's router for prompts as text; the base model is loaded once."""

    def __init__(self, bundle: Path):
        description = read_description(bundle_of(bundle))
        base = description["base_model"]
        template_values = description.get("chat_template_kwargs", {})  # bundles of earlier versions have none
        self.tokenizer = configured_tokenizer(ModelConfig(name=base, chat_template_kwargs=template_values))
        self.route = load_routed(bundle, load_model(base))

    def gates(self, prompt: Prompt, task: str = "") -> dict[str, float]:
        """Return the gate of each adapter, the largest first.

        Raises UserError when the router goes by task and does not know the one given.
        """
        gates = self.route.gates([encode_prompt(self.tokenizer, prompt)], [task])[0].tolist()
        return dict(sorted(zip(self.route.names, gates, strict=True), key=lambda pair: -pair[1]))


def route_command(bundle: Path, prompt: str, task: str = "") -> dict[str, float]:
    """Return the gates of a user's message; the body of `heed route`."""
    prompts = RoutedPrompts(bundle)
    try:
        return prompts.gates([{"role": "user", "content": prompt}], task)
    except UserError as error:
        if task:
            raise
        raise UserError(f"{error}; name the prompt's task with --task") from error


def show_gates(gates: dict[str, float]) -> None:
    """Print an adapter a line, its gate first."""
    for name, gate in gates.items():
        print(f"{gate:.3f}  {name}")
