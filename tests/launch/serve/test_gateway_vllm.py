"""The gateway in front of a real vLLM server with a bundle's adapters: each request is answered by its adapter."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from data.problems import to_row
from launch.recipes import load_recipe
from launch.serve.gateway import ADAPTER_HEADER, TASK_HEADER, gateway
from launch.serve.route import RoutedPrompts
from rl.datasets import load_problems
from rl.routing.bundle import bundle_of
from rl.train import train
from tests.launch.serve.test_gateway import Served
from tests.rl.grpo_fixtures import EVEN_SHARE, tiny_config
from tests.rl.rollouts.real_vllm_server import real_vllm_server
from tests.rl.rollouts.served_model import save_served_model

pytestmark = pytest.mark.vllm

FAMILIES = ("upper", "lower", "short")
CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a run with an adapter for each family."""
    folder = tmp_path_factory.mktemp("routed")
    problems = load_problems(tiny_config(data={"num_problems": 12}).data).train
    rows = [{**to_row(problem), "task": FAMILIES[number % 3]} for number, problem in enumerate(problems)]
    (folder / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    overrides = [
        f"model.name={save_served_model(folder / 'model')}",
        f"data.path={folder / 'problems.jsonl'}",
        "data.held_out=2",
        "trainer.learning_rate=0.1",  # the families are to differ after a few steps
        f"routing.adapters=[{','.join(FAMILIES)}]",
        f"rewards.functions=[{EVEN_SHARE}]",
        f"run.folder={folder / 'run'}",
    ]
    return bundle_of(train(load_recipe("tiny", overrides)))


@pytest.fixture(scope="module")
def upstream(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    adapters = [f"{name}={bundle / 'adapters' / name}" for name in FAMILIES]
    options = ("--max-loras", "3", "--lora-modules", *adapters)
    with real_vllm_server(bundle.parent.parent / "model", tmp_path_factory.mktemp("log") / "vllm.log", *options) as url:
        yield url


@pytest.fixture(scope="module")
def address(bundle: Path, upstream: str) -> Iterator[str]:
    with Served(gateway(RoutedPrompts(bundle).gates, upstream=upstream)) as url:
        yield url


def body(text: str, **more: object) -> dict:
    chat = {"model": "any", "messages": [{"role": "user", "content": text}], "temperature": 0.0, "max_tokens": 12}
    return {**chat, **more}


def test_gateway__50_requests_at_once_are_answered_each_by_its_adapter(address, upstream):
    asked = [(FAMILIES[number % 3], f"Write about number {number}.") for number in range(50)]

    async def all_at_once() -> list[httpx.Response]:
        async with httpx.AsyncClient(timeout=600, limits=httpx.Limits(max_connections=None)) as client:
            calls = [
                client.post(f"{address}{CHAT}", json=body(text), headers={TASK_HEADER: name}) for name, text in asked
            ]
            return await asyncio.gather(*calls)

    answers = asyncio.run(all_at_once())
    texts = []
    for (name, _), answer in zip(asked, answers, strict=True):
        assert answer.status_code == 200
        assert answer.headers[ADAPTER_HEADER] == answer.json()["model"] == name
        texts.append(answer.json()["choices"][0]["message"]["content"])
    # the same prompt, asked of the server itself: its family's adapter gives the gateway's answer, another does not
    for (name, text), expected in list(zip(asked, texts, strict=True))[:3]:
        direct = {
            family: httpx.post(f"{upstream}{CHAT}", json=body(text, model=family), timeout=600).json()
            for family in FAMILIES
        }
        contents = {family: answer["choices"][0]["message"]["content"] for family, answer in direct.items()}
        assert contents[name] == expected
        assert len(set(contents.values())) > 1


def test_gateway__streams_real_completions(address):
    whole = httpx.post(f"{address}{CHAT}", json=body("Sing."), headers={TASK_HEADER: "lower"}, timeout=600).json()
    parts = []
    with httpx.stream(
        "POST", f"{address}{CHAT}", json=body("Sing.", stream=True), headers={TASK_HEADER: "lower"}, timeout=600
    ) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line.startswith("data: {"):
                parts.append(json.loads(line.removeprefix("data: "))["choices"][0]["delta"].get("content") or "")
    assert len(parts) > 2
    assert "".join(parts) == whole["choices"][0]["message"]["content"]
