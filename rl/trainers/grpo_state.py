"""GRPO state: what a resumed GRPO run needs beyond the files that transformers saves."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from rl.common.atomic import write_json
from rl.common.errors import UserError
from rl.rollouts.ledger import LedgerTotals
from rl.rollouts.prefetch import SavedRequest

NAME = "grpo_state-{rank}"
"""Of two files in a checkpoint for each rank: `.json` and `.safetensors`."""
LIST_COLUMNS = ("row", "position", "staleness", "prompt_length", "completion_length")
"""Columns of the buffer that are lists of integers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GRPOState:
    """Everything that one rank must remember to go on bit for bit (law 7).

    `GRPOState.capture(trainer).save(checkpoint, rank=0)` before a kill and
    `GRPOState.load(checkpoint, device, rank=0).restore(trainer)` after it.
    """

    step: int
    """Optimizer steps done."""
    micro_step: int
    buffer: list[dict[str, Any]] | None
    """TRL's generation batch, in micro-batches. Without it, a resume inside one would sample other completions."""
    ledger_totals: LedgerTotals
    """What the ledger must hold after it was rewound to `step`."""
    ratios: dict[int, Tensor] = field(default_factory=dict)
    """Off-policy ratios of the buffer's rows that were visited, by row."""
    prefetched: list[SavedRequest] = field(default_factory=list)
    """Completions sampled for batches to come."""

    @classmethod
    def capture(cls, trainer: Any) -> "GRPOState":
        """Collect the state of a CreditGRPOTrainer between two optimizer steps."""
        return cls(
            step=trainer.state.global_step,
            micro_step=trainer._step,
            buffer=trainer._buffered_inputs,
            ledger_totals=trainer.accounting.ledger.totals(),
            ratios=trainer.rollouts.correction.state(),
            prefetched=trainer.rollouts.state(),
        )

    def restore(self, trainer: Any) -> None:
        """Put the state into a freshly built trainer. Raises RunFailure when the ledger tells of another history."""
        trainer._step, trainer._buffered_inputs = self.micro_step, self.buffer
        trainer.rollouts.restore(self.prefetched)
        trainer.rollouts.correction.restore(self.ratios)
        trainer.accounting.rewind(self)

    def save(self, checkpoint: Path, *, rank: int) -> None:
        """Write the state's two files into a checkpoint."""
        tensors = {
            # TRL's batches share memory (the token count), which safetensors refuses.
            f"{index}/{name}": torch.as_tensor(value).cpu().clone(memory_format=torch.contiguous_format)
            for index, batch in enumerate(self.buffer or [])
            for name, value in batch.items()
            if isinstance(value, Tensor) or name in LIST_COLUMNS
        }
        tensors |= {f"ratios/{row}": ratios.cpu().contiguous() for row, ratios in self.ratios.items()}
        path = checkpoint / NAME.format(rank=rank)
        save_file(tensors, f"{path}.safetensors")
        values = {
            "step": self.step,
            "micro_step": self.micro_step,
            "micro_batches": len(self.buffer or []),
            "ledger_totals": asdict(self.ledger_totals),
            "prefetched": self.prefetched,
        }
        write_json(Path(f"{path}.json"), values)

    @classmethod
    def load(cls, checkpoint: Path, device: Any, *, rank: int) -> "GRPOState":
        """Read what `save` wrote. Raises UserError when the run had fewer ranks then."""
        path = checkpoint / NAME.format(rank=rank)
        if not Path(f"{path}.json").is_file():
            raise UserError(f"{checkpoint} has nothing for rank {rank}: resume with as many processes as saved it")
        values = json.loads(Path(f"{path}.json").read_text(encoding="utf-8"))
        buffer: list[dict[str, Any]] = [{} for _ in range(values["micro_batches"])]
        ratios: dict[int, Tensor] = {}
        for key, tensor in load_file(f"{path}.safetensors").items():
            group, _, name = key.partition("/")
            if group != "ratios" and name in LIST_COLUMNS:
                buffer[int(group)][name] = tensor.tolist()
                continue
            tensor = tensor.to(device)  # safetensors itself knows fewer device names than torch: not cpu:0
            if group == "ratios":
                ratios[int(name)] = tensor
            else:
                buffer[int(group)][name] = tensor
        return cls(
            step=values["step"],
            micro_step=values["micro_step"],
            buffer=buffer or None,
            ledger_totals=LedgerTotals(**values["ledger_totals"]),
            ratios=ratios,
            prefetched=values["prefetched"],
        )
