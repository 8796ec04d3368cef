"""`heed probe sinks`: heads are chosen on one half of the texts, and saved for a model to load."""

import pytest
import torch

from attention_probes.calibration import Calibration
from attention_probes.heads import HeadRoles
from attention_probes.sink_calibrator import calibrated
from data.writing import write_rows
from launch.probe.sinks import answered_texts, choose_sink_heads, estimated_gains, scores
from launch.probe.sinks_chart import print_sinks
from rl.config.model import ModelConfig
from rl.models.load import load_base_model, load_model, load_tokenizer

EAGER = Calibration(heads=(), threshold=0.02, min_queries=4)


def test_choose_sink_heads__saves_what_a_model_loads(tmp_path, capsys):
    roles = HeadRoles(local_heads=((0, 0),), global_heads=((1, 1),))
    roles.save(tmp_path / "roles.json")
    out = tmp_path / "calibration.json"
    result = choose_sink_heads("tiny", out=out, num_texts=8, settings=EAGER, roles=tmp_path / "roles.json")
    saved = Calibration.load(out)
    assert (len(saved.heads), saved.threshold) == (result["num_heads"], 0.02)
    assert HeadRoles.load(out) == roles
    assert all(gain > 0.0 for gain in result["heads"].values())
    print_sinks(result, out)
    assert "held-out likelihood" in capsys.readouterr().out
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    model = load_base_model(ModelConfig(name="tiny", dtype="float32", calibration=out))
    ids = torch.arange(3, 60)[None]
    plain = load_model("tiny")
    with torch.no_grad(), calibrated(plain, saved):
        assert torch.equal(model(input_ids=ids).logits, plain(input_ids=ids).logits)


def test_estimated_gains__are_derivatives():
    """The first head's gain is that of a small step towards its calibration."""
    tokenizer, policy = load_tokenizer("tiny"), load_model("tiny").requires_grad_(False)
    texts = answered_texts(tokenizer, None, 4, seed=0)
    best, *_ = estimated_gains(policy, texts, EAGER)
    strengths = torch.zeros(2, policy.config.num_attention_heads)
    strengths[best] = 0.1
    one = Calibration(heads=(best,), threshold=0.02, min_queries=4)
    with calibrated(policy, one, strengths=strengths):
        moved = scores(policy, texts, "likelihood")
    assert moved.mean() > scores(policy, texts, "likelihood").mean()


def test_answered_texts__of_a_file(tmp_path):
    rows = [{"prompt": "Two and two?", "reference": "Four"}, {"prompt": "No answer."}] * 4
    tokenizer = load_tokenizer("tiny")
    texts = answered_texts(tokenizer, write_rows(rows, tmp_path / "rows.jsonl"), 4, seed=0)
    assert [tokenizer.decode(text.answer) for text in texts] == ["Four"] * 4
    worked = [{"question": "Two and two?", "answer": "It is 4.\n#### 4"}] * 4
    texts = answered_texts(tokenizer, write_rows(worked, tmp_path / "gsm8k.jsonl"), 4, seed=0)
    assert [tokenizer.decode(text.answer) for text in texts] == ["It is 4.\n#### 4"] * 4  # and not the number alone
    with pytest.raises(ValueError, match="4 are needed"):
        answered_texts(tokenizer, write_rows(rows[:4], tmp_path / "few.jsonl"), 9, seed=0)


def test_choose_sink_heads__refuses_an_unknown_measure(tmp_path):
    with pytest.raises(ValueError, match="by likelihood or by accuracy"):
        choose_sink_heads("tiny", out=tmp_path / "c.json", measure="loss")


def test_load_base_model__names_a_calibration_that_is_none(tmp_path):
    path = tmp_path / "c.json"
    for content in (None, "{}", "not JSON"):
        if content is not None:
            path.write_text(content)
        with pytest.raises(ValueError, match=r"model\.calibration="):
            load_base_model(ModelConfig(name="tiny", dtype="float32", calibration=path))
