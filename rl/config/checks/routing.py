"""Contradictions in the settings of routing: together, or with other sections."""

from collections.abc import Iterator

from rl.config.engines import ENGINES
from rl.config.routing import RESERVED, RoutingConfig
from rl.config.sections import Sections


def routing_contradictions(config: Sections) -> Iterator[str]:
    """Yield one sentence for each contradiction."""
    routing = config.routing
    if not routing.adapters:
        if routing != RoutingConfig():
            yield "the settings of routing have no effect without routing.adapters; name the adapters, or drop routing"
        return
    yield from _names(routing)
    yield from _router(routing)
    yield from _other_sections(config)


def _names(routing: RoutingConfig) -> Iterator[str]:
    adapters = ", ".join(routing.adapters)
    if len(set(routing.adapters)) < len(routing.adapters):
        yield f"routing.adapters names one twice: {adapters}; give each its own name"
    if reserved := sorted(set(RESERVED) & set(routing.adapters)):
        yield f"routing.adapters: {', '.join(reserved)} is a name of Heed's own in a bundle; choose another"
    if dotted := [name for name in routing.adapters if "." in name]:
        yield f"routing.adapters: {', '.join(dotted)} has a dot, which separates modules for PEFT; write it without"
    named = {"ranks": routing.ranks, "weights": routing.weights, "tasks": routing.tasks.values()}
    for key, names in named.items():
        if unknown := sorted(set(names) - set(routing.adapters)):
            yield f"routing.{key} names {', '.join(unknown)}, but routing.adapters are {adapters}; name one of those"
    if routing.top is not None and routing.top > len(routing.adapters):
        yield f"routing.top={routing.top} is more than the {len(routing.adapters)} adapters; set top=null to use all"


def _router(routing: RoutingConfig) -> Iterator[str]:
    if (routing.router == "fixed") != bool(routing.weights):
        yield (
            f"routing.router={routing.router} and routing.weights={routing.weights}: router `fixed` needs weights, and "
            "no other router takes them; set both or neither"
        )
    if routing.learn == "policy" and routing.router != "attention":
        yield (
            f"routing.learn=policy trains the router by the loss, which routing.router={routing.router} does not "
            "support; set router=attention, or learn=labels"
        )
    if routing.learn == "policy" and routing.top == 1:
        yield (
            "routing.learn=policy needs gates that the loss can change, and with routing.top=1 the only gate is always "
            "1; set top=2 or more, or top=null"
        )


def _mixing(routing: RoutingConfig) -> str:
    """Return which setting mixes several adapters in a row and what to set instead, or "" if none does."""
    if routing.router == "fixed":
        is_hard = sorted(weight for weight in routing.weights.values() if weight) == [1.0]
        return "" if is_hard else f"routing.weights={routing.weights} mix several; give one the weight 1"
    if routing.top == 1:
        return ""
    return f"routing.top={'null' if routing.top is None else routing.top} mixes several; set top=1"


def _other_sections(config: Sections) -> Iterator[str]:
    engine, routing = config.rollouts.engine, config.routing
    if ENGINES[engine].routing and not ENGINES[engine].mixes and (mixing := _mixing(routing)):
        others = " or ".join(name for name, spec in ENGINES.items() if spec.routing and spec.mixes)
        yield f"rollouts.engine={engine} samples each row with one adapter, and {mixing}, or set engine={others}"
    if not ENGINES[engine].routing:
        others = " or ".join(name for name, spec in ENGINES.items() if spec.routing)
        yield f"rollouts.engine={engine} samples with one adapter, and routing needs several; set engine={others}"
    if config.distributed.zero == 3:
        yield "distributed.zero=3 shards weights that the router reads; set zero=2 or less, or drop routing"
    if config.credit.faithfulness.every:
        yield (
            f"credit.faithfulness.every={config.credit.faithfulness.every} works with one adapter, and "
            "routing.adapters names several; set every=0, or drop routing"
        )
    if config.lora.start is not None:
        yield f"lora.start={config.lora.start} is one adapter, and routing.adapters names several; set routing.start"
    if config.pairs.rounds:
        yield f"pairs.rounds={config.pairs.rounds} trains one adapter round by round; set rounds=0, or drop routing"
