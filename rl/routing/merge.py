"""Merge: the base model with one adapter of a bundle merged into its weights, as a stand-alone model."""

from pathlib import Path

from peft import PeftModel

from rl.common.atomic import write_json
from rl.common.export_folder import export_folder
from rl.models.load import load_model, load_tokenizer
from rl.routing.bundle import adapter_lineage, bundle_of, check_digests, check_name, read_description


def merge_adapter(bundle: Path, name: str, output: Path) -> Path:
    """Write a model that transformers loads without PEFT, with its tokenizer and the adapter's lineage.

    Raises UserError, before the model is loaded, when `output` holds anything else.
    """
    folder = bundle_of(bundle)
    description = read_description(folder)
    check_name(description, name)
    check_digests(folder, description)
    base = description["base_model"]
    with export_folder(output, folder) as temporary:
        adapted = PeftModel.from_pretrained(load_model(base, device="cpu"), str(folder / "adapters" / name))
        merged = adapted.merge_and_unload()
        merged.save_pretrained(str(temporary))
        load_tokenizer(base).save_pretrained(str(temporary))
        write_json(temporary / "lineage.json", adapter_lineage(description, name))
    return output
