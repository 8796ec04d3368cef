"""Merging: the base model with one adapter of a bundle inside its weights, as a model of its own."""

from pathlib import Path

from peft import PeftModel

from rl.common.atomic import atomic_folder, write_json
from rl.models.load import load_model, load_tokenizer
from rl.routing.bundle import bundle_of, check_digests, check_name, lineage, read_description


def merge_adapter(bundle: Path, name: str, output: Path) -> Path:
    """Write a model that transformers loads without PEFT, with its tokenizer and a note of where it came from."""
    folder = bundle_of(bundle)
    description = read_description(folder)
    check_name(description, name)
    check_digests(folder, description)
    base = description["base_model"]
    merged = PeftModel.from_pretrained(load_model(base), str(folder / "adapters" / name)).merge_and_unload()
    with atomic_folder(output) as temporary:
        merged.save_pretrained(str(temporary))
        load_tokenizer(base).save_pretrained(str(temporary))
        write_json(temporary / "lineage.json", lineage(description, name))
    return output
