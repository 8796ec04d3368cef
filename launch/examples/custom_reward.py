"""Example: train on your own prompts with a reward function of your own, from Python instead of the command line.

    python -m launch.examples.custom_reward

The reward is added to the share of satisfied constraints; these prompts have none, so it is all that counts.
"""

import json
from pathlib import Path

from launch.recipes import load_recipe
from rl.train import train

PROMPTS = ("Describe the sea.", "Name a fruit and a tree.", "Explain why the sky is blue.", "Tell me about your town.")


def short_words(completions: list, **columns: object) -> list[float]:
    """Reward completions of short words: 1 for one letter a word on average, 0 for ten or more, and for no word."""
    texts = [completion if isinstance(completion, str) else completion[-1]["content"] for completion in completions]
    lengths = [len("".join(text.split())) / max(len(text.split()), 1) for text in texts]
    return [max(0.0, (10 - length) / 9) if length else 0.0 for length in lengths]


def main(folder: Path = Path("runs/custom-reward"), recipe: str = "tiny") -> Path:
    """Train and return the run folder, which holds the adapter under `adapters/default`."""
    folder.mkdir(parents=True, exist_ok=True)
    problems = folder / "problems.jsonl"
    problems.write_text("\n".join(json.dumps({"prompt": prompt}) for prompt in PROMPTS))
    settings = [
        f"rewards.functions=[{Path(__file__).resolve()}:short_words]",
        f"data.path={problems}",
        "data.held_out=0",
        f"run.folder={folder / 'run'}",
    ]
    return train(load_recipe(recipe, settings))


if __name__ == "__main__":
    print(main())
