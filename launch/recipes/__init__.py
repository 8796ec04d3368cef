"""Recipes: the settings that come with Heed, found by name."""

import os
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from rl.config.load import load_config
from rl.config.root import Config

RECIPES = Path(__file__).resolve().parent


def load_recipe(recipe: str, overrides: Sequence[str] = ()) -> Config:
    """Return the config of a recipe (a name, or a YAML file's path) with `key.key=value` overrides.

    Raises FileNotFoundError for a missing recipe or run, and what `load_config` raises.
    """
    return load_config(recipe_path(recipe), overrides)


def recipe_path(recipe: str) -> Path:
    """Return where a recipe lies. Raises FileNotFoundError with the nearest name, or the path that is missing."""
    if recipe.endswith((".yaml", ".yml")):
        path = Path(os.path.expanduser(recipe))
        if not path.is_file():
            raise FileNotFoundError(f"there is no recipe file {path}")
        return path
    names = recipe_names()
    if recipe not in names:
        near = get_close_matches(recipe, names, n=1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise FileNotFoundError(
            f"unknown recipe {recipe!r}; {meant}(recipes: {', '.join(names)}; a file of your own ends in .yaml)"
        )
    return RECIPES / f"{recipe}.yaml"


def recipe_names() -> tuple[str, ...]:
    """Return the names of the recipes that come with Heed."""
    return tuple(sorted(path.stem for path in RECIPES.glob("*.yaml")))
