"""Time of each part of the compact network."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps

import torch
from torch import Tensor, nn

from facepipe.renderers.compact import net as network
from facepipe.renderers.compact.net import CompactNet

#: Functions that the network calls between its modules, by name in the table. None calls another.
FUNCTIONS = {"sampling": "warp", "pixel shuffle": "shuffled", "bound of the change": "bounded_change"}
REST = "pooling, shares, blending"


def block_seconds(net: CompactNet, inputs: tuple[Tensor, ...], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each block and function in each round, with the remainder of the network last."""
    rows = []
    for _ in range(rounds + 1):
        with _timed(net) as spent, torch.inference_mode():
            begin = time.perf_counter()
            net(*inputs)
            whole = time.perf_counter() - begin
        rows.append({**spent, REST: whole - sum(spent.values())})
    # The first round is a warm-up.
    return {name: [row[name] for row in rows[1:]] for name in rows[0]}


@contextmanager
def _timed(net: CompactNet) -> Iterator[dict[str, float]]:
    """Collect the total seconds of each part, by name, while the network runs."""
    spent: dict[str, float] = defaultdict(float)
    starts: dict[str, float] = {}

    def start(name: str) -> None:
        starts[name] = time.perf_counter()

    def stop(name: str) -> None:
        spent[name] += time.perf_counter() - starts[name]

    def timed(name: str, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        @wraps(function)
        def run(*arguments: Tensor) -> Tensor:
            start(name)
            result = function(*arguments)
            stop(name)
            return result

        return run

    with ExitStack() as closing:
        for name, block in blocks(net).items():
            closing.callback(block.register_forward_pre_hook(lambda *_, name=name: start(name)).remove)
            closing.callback(block.register_forward_hook(lambda *_, name=name: stop(name)).remove)
        for name, function in FUNCTIONS.items():
            plain = getattr(network, function)
            closing.callback(setattr, network, function, plain)
            setattr(network, function, timed(name, plain))
        yield spent


def blocks(net: CompactNet) -> dict[str, nn.Module]:
    """Return the modules that are timed, by name; none contains another."""
    parts: dict[str, nn.Module] = {"mapping": net.mapping}
    for name, hourglass in (("warping", net.warping), ("editing", net.editing)):
        parts[f"{name}, enter"] = hourglass.enter
        for level, down in enumerate(hourglass.down, 1):
            parts[f"{name}, down to level {level}"] = down
        for level, level_blocks in enumerate(hourglass.blocks):
            for number, block in enumerate(level_blocks.children()):
                parts[f"{name}, level {level}, block {number + 1}"] = block
        for level in range(len(hourglass.up)):
            parts[f"{name}, up to level {level}"] = hourglass.up[level]
            parts[f"{name}, norm of level {level}"] = hourglass.norms[level]
            parts[f"{name}, join of level {level}"] = hourglass.join[level]
    return {**parts, "correction": net.correction, "final": net.final}
