"""Files of a routed policy: its adapters in PEFT's layout, one folder each, and the router beside them."""

from pathlib import Path

from peft import PeftModel, set_peft_model_state_dict
from safetensors.torch import load_file, save_file

from rl.routing.route import ROUTER, router_state

ROUTER_FILE = "router.safetensors"


def save_router(policy: PeftModel, folder: Path) -> None:
    """Write the router's tensors; a router without any writes an empty file."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in router_state(policy).items()}
    save_file(tensors, folder / ROUTER_FILE)


def load_router(policy: PeftModel, folder: Path) -> None:
    """Raises FileNotFoundError without the file, RuntimeError when it is of another router."""
    getattr(policy.get_base_model(), ROUTER).load_state_dict(load_file(folder / ROUTER_FILE))


def load_adapters(policy: PeftModel, folder: Path) -> None:
    """All adapters and the router out of a folder that PEFT's `save_pretrained` and `save_router` wrote."""
    for name in policy.peft_config:
        place = folder if name == "default" else folder / name
        set_peft_model_state_dict(policy, load_file(place / "adapter_model.safetensors"), adapter_name=name)
    load_router(policy, folder)
