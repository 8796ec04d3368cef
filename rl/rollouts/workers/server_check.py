"""Server check: before a run starts, its vLLM servers are tried with an adapter of the run's shape."""

import logging
from collections.abc import Sequence

from rl.common.errors import RunFailure
from rl.models.load import model_path, resolve_dtype
from rl.rollouts.engine_vllm import served_rank
from rl.rollouts.engine_vllm_server import VllmServerEngine, worker_engine
from rl.rollouts.engines import EngineSetup
from rl.rollouts.vllm_http import ServedModel, ServerLost
from rl.rollouts.workers.weight_sync import Tolerance, logprob_gap

log = logging.getLogger("heed.rollouts")


def check_server(
    setup: EngineSetup,
    blank: bytes,
    *,
    probe_ids: tuple[int, ...],
    base_logprobs: Sequence[float] | None,
    tolerance: Tolerance,
    adapters: int,
) -> None:
    """Have a server load a blank adapter, which changes nothing, and compare its base model with the learner's.

    `base_logprobs` are the learner's of the probe text, None where it cannot say yet; `adapters` are those that the run
    uses on this server at the same time. Raises RunFailure with one sentence for what the server lacks.
    """
    engine = worker_engine(setup)
    try:
        base = engine.server.base_model()
        _check_length(engine, base)
        engine.load_adapter(blank)
        _check_base(engine, base, setup, probe_ids, base_logprobs, tolerance)
        _check_generation(engine, probe_ids)
        _check_room(engine, adapters)
    except ServerLost as error:
        raise RunFailure(f"{error}; start vLLM for this run with\n{serve_command(setup, adapters)}") from error
    except RunFailure as error:
        raise RunFailure(f"{error}. For this run it is started with\n{serve_command(setup, adapters)}") from error
    finally:
        engine.close()


def serve_command(setup: EngineSetup, adapters: int) -> str:
    """Return the command that starts a server which passes the check."""
    assert setup.server is not None
    port = setup.server.url.rpartition(":")[2]
    dtype = str(resolve_dtype(setup.model.dtype)).removeprefix("torch.")
    rank = max((setup.routing.ranks.get(name, setup.lora.r) for name in setup.routing.adapters), default=setup.lora.r)
    return (
        f"VLLM_ALLOW_RUNTIME_LORA_UPDATING=True vllm serve {model_path(setup.model.name)} --dtype {dtype} "
        f"--enable-lora --max-loras {adapters} --max-lora-rank {max(8, served_rank(rank))} "
        f"--logprobs-mode processed_logprobs --generation-config vllm --port {port if port.isdigit() else 8000}"
    )


def _check_length(engine: VllmServerEngine, base: ServedModel) -> None:
    length = engine.generation.max_completion_length
    if base.max_model_len <= length:
        raise RunFailure(
            f"{engine.server.url} has room for {base.max_model_len} tokens, which leaves no prompt beside "
            f"trainer.max_completion_length={length}; raise its --max-model-len"
        )


def _check_base(
    engine: VllmServerEngine,
    base: ServedModel,
    setup: EngineSetup,
    probe_ids: tuple[int, ...],
    learner: Sequence[float] | None,
    tolerance: Tolerance,
) -> None:
    served = engine.token_logprobs(probe_ids)
    if learner is None:
        return
    expected = [*learner] * (len(served) // len(learner))  # blank adapters are all the base model
    gap = logprob_gap(expected, served)
    if not tolerance.allows(gap):
        raise RunFailure(
            f"{engine.server.url} serves {base.name} ({base.path}), whose log-probs of a fixed text differ from those "
            f"of model.name={setup.model.name} by {gap.largest:.2g} at most and {gap.mean:.2g} in the mean "
            f"(rollouts.tolerance={tolerance.nats:.2g}): it is another model, "
            "or loaded in another type than the learner's"
        )


def _check_generation(engine: VllmServerEngine, probe_ids: tuple[int, ...]) -> None:
    """Refuse log-probs before the temperature, and an upper bound of the server's own on a completion's length."""
    temperature, length = engine.generation.temperature, engine.generation.max_completion_length
    if temperature not in (0.0, 1.0):
        scaled, plain = engine.first_logprob(probe_ids)
        if scaled == plain:
            raise RunFailure(
                f"{engine.server.url} gives log-probs as they are before trainer.temperature={temperature:g}, and the "
                "learner's come after it; start it with --logprobs-mode processed_logprobs"
            )
    longest = engine.longest_completion()
    if longest is not None and longest < length:
        raise RunFailure(
            f"{engine.server.url} gives at most {longest} tokens, and trainer.max_completion_length={length}; start it "
            "with --generation-config vllm, without max_new_tokens in --override-generation-config, and with a "
            "--max-model-len that is large enough"
        )


def _check_room(engine: VllmServerEngine, adapters: int) -> None:
    room = engine.server.max_loras()
    if room is not None and room < adapters:
        log.warning(
            "%s samples with --max-loras %d at the same time, and this run uses up to %d: they will take turns",
            engine.server.url,
            room,
            adapters,
        )
