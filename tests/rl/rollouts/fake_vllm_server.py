"""A fake vLLM server on loopback: the endpoints and traps of vLLM 0.30, answered by transformers and PEFT."""

import copy
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel

from rl.models.tiny import tiny_model

BASE = "base"
GENERATION_CONFIG = {"temperature": 0.01, "top_p": 0.1, "top_k": 1, "repetition_penalty": 1.9, "min_p": 0.9}
"""What the fake takes for parameters that a request leaves out: each would change the samples at once."""


class Refused(Exception):
    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


@dataclass
class FakeVllmServer:
    """`with FakeVllmServer() as server` serves at `server.url`; the fields are how it was started, or how it fails."""

    max_loras: int = 1
    max_lora_rank: int = 16
    max_model_len: int = 2048
    runtime_loras: bool = True
    processed_logprobs: bool = True
    most_tokens: int | None = None
    """As max_new_tokens in --override-generation-config."""
    model_seed: int = 0
    """Another one makes another base model."""
    hidden: tuple[str, ...] = ()
    """Beginnings of paths that the server does not see."""
    ignores_adapters: bool = False
    """As where the tensors' names do not match: the adapter loads, and the base model answers."""
    caches_by_name: bool = False
    """Answers with the first adapter that ever had the name, as the prefix cache does."""
    completions_before_death: int | None = None
    resume: threading.Event | None = None
    """Completions wait for it."""

    names: list[str] = field(default_factory=list)
    """Of all adapters ever loaded, in order."""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    """Of all completions asked for."""

    def __post_init__(self):
        self._base = tiny_model(seed=self.model_seed).eval()
        self.adapters: dict[str, Any] = {}
        self._first: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None
        self.port = 0

    # ------------------------------------------------------------------------------------------------ the server's life

    def __enter__(self) -> "FakeVllmServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, or start anew at the same port, without any adapter."""
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                fake.answer(self, None)

            def do_POST(self) -> None:
                fake.answer(self, json.loads(self.rfile.read(int(self.headers["content-length"]))))

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 256

            def handle_error(self, *_: object) -> None:
                """A client that has gone is no error."""

        self.adapters = {}
        self._server = Server(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    # -------------------------------------------------------------------------------------------------------- answering

    def answer(self, handler: BaseHTTPRequestHandler, body: dict[str, Any] | None) -> None:
        if self._server is None:  # a connection from before its death
            handler.close_connection = True
            return
        try:
            status, answer = 200, self._route(handler.path, body)
        except Refused as refused:
            status, answer = refused.status, {"error": {"message": str(refused), "code": refused.status}}
        except ConnectionAbortedError:
            handler.close_connection = True
            return
        except Exception as error:  # a fault of the fake's own, shown where the client shows it
            status, answer = 500, {"error": {"message": f"the fake failed: {error!r}"}}
        if answer is None:
            status, answer = 404, {"detail": "Not Found"}  # FastAPI's, for a route that does not exist
        data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        handler.send_response(status)
        handler.send_header("content-length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def _route(self, path: str, body: dict[str, Any] | None) -> Any:
        match path:
            case "/v1/models":
                cards = [{"id": name, "root": "folder", "parent": BASE} for name in self.adapters]
                return {"data": [{"id": BASE, "root": "some/model", "max_model_len": self.max_model_len}, *cards]}
            case "/metrics":  # the gauge has a value once a request was answered
                gauge = f'vllm:lora_requests_info{{max_lora="{self.max_loras}",running_lora_adapters=""}} 1.7e9\n'
                return gauge if self.bodies else "# nothing yet\n"
            case "/v1/load_lora_adapter" if self.runtime_loras and body is not None:
                return self._load(body["lora_name"], body["lora_path"])
            case "/v1/unload_lora_adapter" if self.runtime_loras and body is not None:
                if body["lora_name"] not in self.adapters:
                    raise Refused(404, f"The lora adapter '{body['lora_name']}' cannot be found.")
                del self.adapters[body["lora_name"]]
                return "Success"
            case "/v1/completions" if body is not None:
                return self._complete(body)
        return None

    def _load(self, name: str, path: str) -> str:
        if name in self.adapters:
            raise Refused(400, f"The lora adapter '{name}' has already been loaded.")
        if path.startswith(self.hidden or ("\0",)) or not Path(path, "adapter_config.json").is_file():
            raise Refused(404, f"Loading lora {name} failed: No adapter found for {path}")
        rank = json.loads(Path(path, "adapter_config.json").read_text())["r"]
        if rank > self.max_lora_rank:
            error = f"LoRA rank {rank} is greater than max_lora_rank {self.max_lora_rank}."
            raise Refused(
                500,
                f"Call to add_lora method failed: Worker failed with error '{error}', please check the stack trace "
                "above for the root cause",
            )
        base = copy.deepcopy(self._base)
        model = base if self.ignores_adapters else PeftModel.from_pretrained(base, path).eval()
        self._first.setdefault(name, model)
        self.adapters[name] = self._first[name] if self.caches_by_name else model
        self.names.append(name)
        return "Success"

    def _complete(self, body: dict[str, Any]) -> dict[str, Any]:
        most = min(body["max_tokens"], self.most_tokens or body["max_tokens"])
        if body["min_tokens"] > most:
            raise Refused(400, f"min_tokens must be less than or equal to max_tokens={most}, got {body['min_tokens']}.")
        self.bodies.append(body)
        if self.resume is not None:
            self.resume.wait()
        if self.completions_before_death is not None and len(self.bodies) > self.completions_before_death:
            threading.Thread(target=self.stop, daemon=True).start()
            self.completions_before_death = None
            raise ConnectionAbortedError
        if body["model"] not in (BASE, *self.adapters):
            raise Refused(404, f"The model `{body['model']}` does not exist.")
        prompts = body["prompt"] if isinstance(body["prompt"][0], list) else [body["prompt"]]
        with self._lock, torch.no_grad():
            choices = [self._choice(prompt, {**GENERATION_CONFIG, **body, "max_tokens": most}) for prompt in prompts]
        return {"choices": [{"index": index, **choice} for index, choice in enumerate(choices)]}

    def _choice(self, prompt: list[int], body: dict[str, Any]) -> dict[str, Any]:
        """Sample one completion; parameters that would filter the distribution do so crudely."""
        random, model = np.random.default_rng(body["seed"]), self.adapters.get(body["model"], self._base)
        ids, token_logprobs, top_logprobs = list(prompt), [], []
        while len(ids) - len(prompt) < body["max_tokens"]:
            logits = model(input_ids=torch.tensor([ids])).logits[0, -1]
            plain = torch.log_softmax(logits, dim=-1)
            scaled = torch.log_softmax(logits / (body["temperature"] or 1.0), dim=-1)
            filtered = (body["top_p"], body["top_k"], body["min_p"], body["repetition_penalty"]) != (1.0, 0, 0.0, 1.0)
            greedy = filtered or not body["temperature"]
            token = int(scaled.argmax() if greedy else random.choice(len(scaled), p=scaled.double().softmax(0).numpy()))
            given = scaled if self.processed_logprobs else plain
            ids.append(token)
            token_logprobs.append(given[token].item())
            asked = {token, *body.get("logprob_token_ids", ())}
            top_logprobs.append({f"token_id:{one}": given[one].item() for one in asked})
            if token in body["stop_token_ids"] or (token == 2 and not body.get("ignore_eos")):
                break
        stopped = ids[-1] in body["stop_token_ids"]
        return {
            "text": "",
            "token_ids": ids[len(prompt) :],
            "logprobs": {"token_logprobs": token_logprobs, "top_logprobs": top_logprobs},
            "finish_reason": "stop" if stopped else "length",
        }
