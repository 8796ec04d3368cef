"""Files of a routed policy: one folder per adapter in PEFT's layout, and the router beside them."""

from pathlib import Path

from peft import PeftModel
from safetensors.torch import save_file

from rl.models.finite import load_finite
from rl.models.saved_adapter import load_weights, read_weights
from rl.routing.route import ROUTER, router_state

ROUTER_FILE = "router.safetensors"


def save_router(policy: PeftModel, folder: Path) -> None:
    """Write the router's tensors; a router without any writes an empty file."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in router_state(policy).items()}
    save_file(tensors, folder / ROUTER_FILE)


def load_router(policy: PeftModel, folder: Path) -> None:
    """Load the router's tensors. Raises FileNotFoundError without the file, RuntimeError for another
    router's, UserError for one that is not finite."""
    getattr(policy.get_base_model(), ROUTER).load_state_dict(load_finite(folder / ROUTER_FILE))


def load_adapters(policy: PeftModel, folder: Path) -> None:
    """Load all adapters and the router from a folder that PEFT's `save_pretrained` and `save_router` wrote."""
    for name in policy.peft_config:
        source = folder if name == "default" else folder / name
        load_weights(policy, read_weights(source), source=source, name=name)
    load_router(policy, folder)
