"""Speed of renderers' networks. Timing is interleaved, so that ratios hold on a busy machine too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from importlib.util import find_spec

from facepipe.bench.metric import Metric, Spent, Threshold, spent_by
from facepipe.renderers import RENDERERS

SIDE = 256
"""Width and height of the pictures in pixels."""


def measurable() -> list[str]:
    """Return the renderers whose network can be measured: those with a module `facepipe.bench.renderers.NAME`."""
    return [name for name in RENDERERS if find_spec(f"facepipe.bench.renderers.{name}")]


def measure(name: str, rounds: int) -> Iterable[Metric]:
    """Measure the network of a renderer in `measurable`."""
    metrics: Iterable[Metric] = import_module(f"facepipe.bench.renderers.{name}").measure(rounds)
    return metrics


def in_turns(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[Spent]]:
    """Time each function in each round; every round calls all of them in turn."""
    spent: dict[str, list[Spent]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            spent[name].append(spent_by(way))
    return spent


def times_as_fast(slow: str, fast: str, spent: Mapping[str, list[Spent]], threshold: Threshold | None = None) -> Metric:
    """Return the speed-up of one function over another by the best round of each: other load can only slow them."""
    best = {name: min(one.seconds for one in spent[name]) for name in (slow, fast)}
    return Metric(f"{fast} to {slow.split()[-1]}", "times", (best[slow] / best[fast],), threshold)
