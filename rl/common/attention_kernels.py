"""Attention kernels: which of torch's own a GPU may use."""

import torch

KERNELS = {
    "flash": torch.backends.cuda.flash_sdp_enabled,
    "efficient": torch.backends.cuda.mem_efficient_sdp_enabled,
    "math": torch.backends.cuda.math_sdp_enabled,
    "cudnn": torch.backends.cuda.cudnn_sdp_enabled,
}
"""Whether torch may choose each kernel."""


def choose_attention_kernels() -> list[str]:
    """Switch cuDNN's attention off, which torch prefers on Hopper and Blackwell; return the kernels that are left.

    With a padding mask its backward pass can give NaN (pytorch #196678), on Blackwell few KV heads are generated wrong
    (#193893), and each new key length costs it some 30 ms of planning.
    """
    torch.backends.cuda.enable_cudnn_sdp(False)
    return [name for name, enabled in KERNELS.items() if enabled()]
