"""Recording under DistributedDataParallel: each rank reads its rows, and the gradients stay bit-identical."""

import copy
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed, multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

from attention_probes.record import ProbePlan, record_attention
from tests.attention_probes.tiny_decoders import padded_batch, tiny_model

NUM_RANKS = 2
PLAN = ProbePlan(layers=(1, 2), per_head=True)


def trained(model: nn.Module, batch: dict[str, Tensor], *, recording: bool) -> tuple[list[Tensor], Tensor | None]:
    """(loss and gradients, FAI if recording) of one step."""
    with record_attention(model, PLAN) if recording else nullcontext() as recorder:
        loss = model(**batch, labels=batch["input_ids"]).loss
        loss.backward()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    return [loss, *gradients], None if recorder is None else recorder.read().fai


def record_on_one_rank(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=NUM_RANKS)
    batch = padded_batch(40, [(3, 2), (0, 5)], seed=rank)
    plain, recorded = (DistributedDataParallel(copy.deepcopy(tiny_model("llama")).train()) for _ in range(2))
    before, _ = trained(plain, batch, recording=False)
    after, fai = trained(recorded, batch, recording=True)
    assert len(before) == len(after) > 3
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    _, alone = trained(copy.deepcopy(tiny_model("llama")).train(), batch, recording=True)
    assert fai is not None and alone is not None and torch.equal(fai, alone)
    distributed.destroy_process_group()


@pytest.mark.slow
def test_record_attention__reads_each_ranks_rows(tmp_path):
    # A failed assertion on a rank is raised here.
    multiprocessing.spawn(record_on_one_rank, args=(tmp_path,), nprocs=NUM_RANKS)
