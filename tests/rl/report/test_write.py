"""Report page: complete, safe, small, and about the runs it was made from."""

import json
import shutil

import pytest

from rl.common.atomic import write_json
from rl.report.arm import Arm, group_into_arms
from rl.report.run import read_run
from rl.report.write import compact, render, report_command, setting_rows
from tests.rl.report.run_fixtures import letter_spans, make_answer, make_folder, make_record, make_summary, page_data


def test_page__needs_no_network(finished_run):
    page = report_command([finished_run.folder]).read_text(encoding="utf-8")
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "src=" not in page and "@import" not in page and "<link" not in page


def test_page__shows_a_real_run_completely(finished_run):
    page = report_command([finished_run.folder]).read_text(encoding="utf-8")
    data = page_data(page)
    (run,) = data["arms"]
    assert run["steps"] == 4
    assert {"reward", "credit/gini", "probe/fai_mean"} <= {curve["name"] for curve in run["curves"]}
    assert sorted({group["step"] for group in run["groups"]}) == [1, 2, 3, 4]
    for group in run["groups"]:
        assert group["members"]
        for member in group["members"]:
            assert len(member["readings"]["credit"]) == len(member["spans"]) == len(member["ids"])
            # the tokens write the whole text, so that pointing at one marks its characters
            assert max(end for _, end in member["spans"]) == len(member["completion"])
    assert data["answers"]["columns"] == ["base model", "adapter"]
    assert len(data["answers"]["rows"]) == 8
    assert "global_anchor" in page


def test_run__writes_its_report_at_the_end(finished_run):
    assert (finished_run.folder / "report.html").is_file()
    assert "report.html" in finished_run.printed


def test_page__escapes_texts(tmp_path):
    sly = "</script><script>alert(1)</script>"
    run = read_run(make_folder(tmp_path / "run", metrics=[], rollouts=[make_record(completion=sly, prompt=sly)]))
    page = render([Arm(runs=(run,))], [letter_spans])
    assert "alert(1)</script>" not in page
    assert page_data(page)["arms"][0]["groups"][0]["prompt"] == sly


def test_report_command__compares_two_runs(finished_run, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(finished_run.folder, other)
    config = (other / "config.yaml").read_text(encoding="utf-8").replace("rule: global_anchor", "rule: uniform")
    (other / "config.yaml").write_text(config, encoding="utf-8")
    page = report_command([finished_run.folder, other])
    assert page == finished_run.folder / "report-vs-other.html"
    assert page_data(page.read_text(encoding="utf-8"))["answers"]["columns"] == ["base model", "tiny", "other"]
    differing = [row for row in setting_rows([read_run(finished_run.folder), read_run(other)]) if row[2]]
    assert differing == [("credit.rule", ['"global_anchor"', '"uniform"'], True)]


def test_page__compares_only_problems_that_all_answered(tmp_path):
    folder = make_folder(tmp_path / "run", metrics=[], summary=make_summary())
    write_json(folder / "before.json", {"answers": [make_answer(), make_answer(problem_id="sky")]})
    write_json(folder / "after.json", {"answers": [make_answer(satisfied=[["punctuation:no_comma", False]])]})
    (row,) = page_data(render(group_into_arms([read_run(folder)]), [letter_spans]))["answers"]["rows"]
    assert [answer["rate"] for answer in row["answers"]] == [1.0, 0.0]


def test_page__of_an_unfinished_run(tmp_path):
    run = read_run(make_folder(tmp_path / "run", metrics=[{"step": 1, "reward": 0.5}]))
    page = render([Arm(runs=(run,))], [letter_spans])
    assert "Not finished: step 1 of 4" in page
    assert "No held-out result yet" in page


def test_page__a_thousand_steps_of_long_completions_stay_small(tmp_path):
    tokens = 256
    read = {name: [1.2345] * tokens for name in ("weights", "mask", "entropy", "ratio", "fai", "waad")}
    verdict = {**make_record()["verdicts"][0], "attention": [1.2345] * tokens}
    record = make_record(completion="x" * tokens, completion_ids=[48_000] * tokens, **read, verdicts=[verdict])
    rollouts = [{**record, "step": step, "problem_id": f"p{group}"} for step in range(1, 1001) for group in range(4)]
    values = {f"metric/{number}": 0.123456789 * number for number in range(80)}
    metrics = [{"step": step, **values, "reward": step % 7 / 7} for step in range(1, 1001)]
    run = read_run(make_folder(tmp_path / "run", metrics=metrics, rollouts=rollouts))
    page = render([Arm(runs=(run,))], [letter_spans])
    assert len(page.encode()) < 20e6
    shown = sorted({group["step"] for group in page_data(page)["arms"][0]["groups"]})
    assert (shown[0], shown[-1]) == (1, 1000)


def test_report_command__refuses_a_folder_without_a_run(tmp_path):
    with pytest.raises(FileNotFoundError, match="is not a run folder: it has no config"):
        report_command([tmp_path])


def test_compact__numbers_are_short_and_finite():
    assert compact({"a": (0.123456789, float("nan")), "b": [1, True, "x"]}) == {
        "a": [0.12346, None],
        "b": [1, True, "x"],
    }
    assert json.dumps(compact(float("inf"))) == "null"
