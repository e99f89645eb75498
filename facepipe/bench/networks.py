"""Speed of renderers' networks. Variants are timed in turns, so that ratios are valid on a busy machine too."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from importlib.util import find_spec

from facepipe.bench.metric import Metric, Threshold, Timing, time_call
from facepipe.renderers import RENDERERS

SIDE = 256
"""Width and height of the pictures, in pixels."""


def measurable() -> list[str]:
    """Return the names of renderers with a module `facepipe.bench.renderers.NAME`, which measures their network."""
    return [name for name in RENDERERS if find_spec(f"facepipe.bench.renderers.{name}")]


def measure(name: str, rounds: int) -> Iterable[Metric]:
    """Measure the network of a renderer from `measurable`."""
    metrics: Iterable[Metric] = import_module(f"facepipe.bench.renderers.{name}").measure(rounds)
    return metrics


def interleaved(
    variants: Mapping[str, Callable[[], object]], rounds: int, *, least: int = 1, seconds: float = math.inf
) -> dict[str, list[Timing]]:
    """Time each function once per round. Each round calls all of them, so that load affects them alike.

    No round begins when `seconds` have passed, except the first `least`.
    """
    timings: dict[str, list[Timing]] = {name: [] for name in variants}
    end = time.monotonic() + seconds
    for done in range(rounds):
        if done >= least and time.monotonic() >= end:
            break
        for name, variant in variants.items():
            timings[name].append(time_call(variant))
    return timings


def speedup(slow: str, fast: str, timings: Mapping[str, list[Timing]], threshold: Threshold | None = None) -> Metric:
    """Return the speed-up of one function over another, from the best round of each: other load only slows them."""
    best = {name: min(timing.seconds for timing in timings[name]) for name in (slow, fast)}
    return Metric(f"{fast} over {slow.split()[-1]}", "times", (best[slow] / best[fast],), threshold)
