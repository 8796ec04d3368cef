"""Decoding: rows that have ended take no further steps, and change nothing for the others."""

from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache

from rl.models.load import load_model
from rl.rollouts.decoding import EnoughFinished, decode

END = 2


class Watched:
    """A model that notes how many rows each forward pass had."""

    def __init__(self) -> None:
        self.model = load_model("tiny")
        self.rows: list[int] = []
        self.model.register_forward_pre_hook(self._note, with_kwargs=True)

    def _note(self, module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        self.rows.append(len(kwargs["input_ids"]))


def answers(model: Any, uniforms: np.ndarray, ends: set[int]) -> tuple[list[list[int]], list[list[float]]]:
    ids = torch.tensor([[5, 6, 7]] * len(uniforms))
    cache = DynamicCache(config=model.config)
    with torch.no_grad():
        model(input_ids=ids[:, :-1], past_key_values=cache)
        return decode(
            model,
            ids,
            torch.ones_like(ids),
            cache,
            uniforms=uniforms,
            temperature=1.0,
            ends=ends,
            pad=0,
            routed=lambda rows: nullcontext(),
        )


def test_decode__leaves_out_rows_that_have_ended():
    uniforms = np.random.default_rng(0).random((4, 8))
    watched = Watched()
    full, logprobs = answers(watched.model, uniforms, {END})
    assert all(END not in row for row in full) and watched.rows[1:] == [4] * 8
    watched.rows.clear()
    # row 0 ends with its second token; one of four is enough to go on without it
    short, short_logprobs = answers(watched.model, uniforms, {full[0][1]})
    ended = [full[0][1] in row for row in full]
    assert ended[0] and watched.rows[1:3] == [4, 4] and watched.rows[3] <= 3
    for row, (tokens, whole) in enumerate(zip(short, full, strict=True)):
        length = whole.index(full[0][1]) + 1 if ended[row] else 8
        assert tokens[:length] == whole[:length]
        assert np.allclose(short_logprobs[row][:length], logprobs[row][:length], atol=1e-5)


def test_decode__stops_when_all_have_ended():
    watched = Watched()
    rows, _ = answers(watched.model, np.random.default_rng(0).random((3, 8)), set(range(512)))
    assert [len(row) for row in rows] == [1, 1, 1] and watched.rows[1:] == [3]


def test_enough_finished__at_a_quarter_of_the_rows():
    stop = EnoughFinished(torch.tensor([END]), start=1)
    three_of_sixteen = torch.tensor([[END, END, 5]] * 3 + [[END, 4, 5]] * 13)
    assert not stop(three_of_sixteen, None).any()
    assert stop(torch.cat([three_of_sixteen[:3], three_of_sixteen[:13]]), None).all()
