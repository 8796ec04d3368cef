"""`heed probe`: its three files agree with each other and with the text."""

import json

import pytest
import torch
from safetensors.torch import load_file

from attention_probes.heads import HeadRoles
from launch.probe.calibrate import calibrate_heads, count_sinks
from launch.probe.read import print_probe, run_probe
from tests.rl.thinking import HYBRID

PROMPT = "Describe the sea. Use no commas."


def test_run_probe__writes_readings_tensors_a_page_and_plots(tmp_path):
    completion, constraint = "It is wide and blue.", "Use no commas."
    content = run_probe("tiny", PROMPT, completion=completion, constraints=[constraint], out=tmp_path, plots=True)
    start = content["num_prompt_tokens"]
    texts = [token["text"] for token in content["tokens"]]
    assert "".join(texts[start:]) == completion
    assert PROMPT in "".join(texts[:start])
    assert json.loads((tmp_path / "readings.json").read_text())["tokens"] == content["tokens"]
    tensors = load_file(tmp_path / "readings.safetensors")
    assert tensors["fai"][0].tolist() == pytest.approx([token["fai"] for token in content["tokens"]])
    stated = "".join(text for text, inside in zip(texts, tensors["spans"][0, 0].tolist(), strict=True) if inside)
    assert stated.strip() == constraint
    assert constraint in (tmp_path / "page.html").read_text()
    assert {path.stem for path in tmp_path.glob("*.png")} == {"rhythm", "heads", "constraints"}


def test_run_probe__shows_credit_for_the_completion_alone(tmp_path):
    content = run_probe("tiny", PROMPT, completion="It is wide and blue and deep.", out=tmp_path)
    credit = [token["credit"] for token in content["tokens"]]
    start = content["num_prompt_tokens"]
    assert not any(credit[:start])
    assert sum(credit[start:]) == pytest.approx(len(credit) - start)


def test_run_probe__generates_and_prints(tmp_path, capsys):
    content = run_probe("tiny", PROMPT, generate=True, max_new_tokens=5, out=tmp_path)
    assert 1 <= len(content["tokens"]) - content["num_prompt_tokens"] <= 5
    print_probe(content)
    assert "Highest future attention influence" in capsys.readouterr().out


@pytest.mark.parametrize("kinds", [{}, {"completion": "hi", "generate": True}])
def test_run_probe__refuses_neither_or_both_kinds_of_completion(kinds, tmp_path):
    with pytest.raises(ValueError, match="either a completion or generate"):
        run_probe("tiny", PROMPT, out=tmp_path, **kinds)


def test_run_probe__refuses_a_constraint_that_the_prompt_does_not_state(tmp_path):
    with pytest.raises(ValueError, match="'Use no dashes' is not a passage"):
        run_probe("tiny", PROMPT, completion="hi", constraints=["Use no dashes"], out=tmp_path)


def test_calibrate_heads__saves_roles_that_a_probe_can_use(tmp_path):
    roles = tmp_path / "roles.json"
    fitted = calibrate_heads("tiny", out=roles, num_prompts=3, max_new_tokens=4, num_needles=1)
    assert HeadRoles.load(roles).local_heads == fitted["local_heads"]
    assert sum(column["share"] for column in fitted["sink_columns"]) <= 1.0001
    again = calibrate_heads(
        "tiny", out=tmp_path / "again.json", num_prompts=3, max_new_tokens=4, num_needles=0, against=roles
    )
    assert (again["local_jaccard"], again["global_jaccard"]) == (1.0, 1.0)
    run_probe("tiny", PROMPT, completion="It is wide.", constraints=[PROMPT], roles=roles, out=tmp_path / "out")
    # all heads, local ones and global ones
    assert load_file(tmp_path / "out" / "readings.safetensors")["span_mass"].shape[2] == 3


def test_calibrate_heads__leaves_the_random_state_as_it_was(tmp_path):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    calibrate_heads("tiny", out=tmp_path / "roles.json", num_prompts=1, max_new_tokens=2, num_needles=0)
    assert torch.equal(torch.rand(1), expected)


def test_count_sinks__by_position_and_token():
    # Two texts, the first behind one token of padding; one layer, two heads.
    ids, real = torch.tensor([[0, 5, 6], [5, 6, 7]]), torch.tensor([[False, True, True], [True, True, True]])
    columns = torch.zeros(1, 2, 2, 3, dtype=torch.bool)
    columns[0, 0, :, 1] = True  # both heads sink into the first text's 5, at position 0
    columns[0, 1, 0, [0, 1]] = True  # one head sinks into the second text's 5 and 6, at positions 0 and 1
    assert count_sinks(ids, real, columns) == {(0, 5): 3, (1, 6): 1}


def test_run_probe__shows_what_each_segment_listens_to(tmp_path, capsys):
    constraints = ["Describe the sea.", "Use no commas."]
    completion = "It is wide and blue and deep and salty, and it never rests at all."
    content = run_probe("tiny", PROMPT, completion=completion, constraints=constraints, out=tmp_path)
    confusion = content["confusion"]
    assert "".join(confusion["texts"]) == completion
    assert [sum(shares) for shares in zip(*confusion["shares"], strict=True)] == pytest.approx(
        [1.0] * len(confusion["texts"])
    )
    assert len(confusion["margins"]) == 2
    print_probe(content)
    assert "margin" in capsys.readouterr().out
    assert "What each part listens to" in (tmp_path / "page.html").read_text()
    alone = run_probe("tiny", PROMPT, completion=completion, constraints=constraints[:1], out=tmp_path)
    assert alone["confusion"] is None


def test_run_probe__renders_the_prompt_with_the_template_values(tmp_path, monkeypatch):
    monkeypatch.setattr("rl.models.tiny.CHAT_TEMPLATE", HYBRID)
    values = {"enable_thinking": False}
    content = run_probe("tiny", PROMPT, completion="It is wide.", out=tmp_path, template_values=values)
    prompt = "".join(token["text"] for token in content["tokens"][: content["num_prompt_tokens"]])
    assert prompt.endswith("<think>\n\n</think>\n\n")
