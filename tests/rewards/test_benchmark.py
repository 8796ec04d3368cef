"""Benchmark: agreement with the published strict verdicts of IFEval on real responses."""

import gzip
import json
import os
from pathlib import Path

import pytest

from rewards.verifiers import verify

RANDOM_LETTER = {1122, 1129}
"""Prompts whose published checker draws a random letter, because their character ("#", "!") is not a letter."""


@pytest.mark.benchmark
def test_verify__reproduces_every_published_verdict():
    if "HEED_BENCHMARK_DATA" not in os.environ:
        pytest.skip("set HEED_BENCHMARK_DATA to a folder that holds ifeval/")
    folder = Path(os.environ["HEED_BENCHMARK_DATA"]) / "ifeval"
    prompts = [json.loads(line) for line in (folder / "input_data.jsonl").read_text().splitlines()]
    with gzip.open(folder / "responses_qwen2.5-0.5b_with_verdicts.jsonl.gz", "rt") as lines:
        responses = [json.loads(line) for line in lines]
    compared = [
        (row["key"], kind, satisfied, published)
        for row, response in zip(prompts, responses, strict=True)  # one response edits its prompt: paired by order
        for kind, satisfied, published in compare(row, response)
        if row["key"] not in RANDOM_LETTER
    ]
    assert len(compared) >= 830
    assert [row for row in compared if row[2] != row[3]] == []


def compare(row, response):
    assert [kind.removeprefix("en:") for kind in response["instruction_id_list"]] == row["instruction_id_list"]
    published = response["follow_instruction_list"]
    for kind, given, verdict in zip(row["instruction_id_list"], row["kwargs"], published, strict=True):
        kwargs = {name: value for name, value in given.items() if value is not None}
        yield (
            kind,
            verify(kind, response["response"], prompt=row["prompt"], semantics="eval", **kwargs).satisfied,
            verdict,
        )
