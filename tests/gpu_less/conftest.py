"""Set-up of the tests that catch errors of GPUs on machines without one: counts of GPUs that torch only claims."""

from collections.abc import Callable

import pytest
import torch


@pytest.fixture
def claim_gpus(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Returns a function that makes torch claim a number of GPUs; nothing can be put on them."""

    def claim(number: int) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: number > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: number)
        monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"Imaginary {device}")
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)

    return claim
