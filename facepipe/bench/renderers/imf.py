"""Speed of the IMF networks alone: the fused form against the plain forward pass of the same size.

For each frame, the plain one encodes the source and the driving picture, decodes both tokens, aligns and draws, in
separate layers; its layers are shared among all threads. The fused one encodes the driving picture and renders its
token, one frame per thread as in use; the source was prepared before. A receiver of tokens only renders.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.util import find_spec
from pkgutil import resolve_name
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facepipe.bench.metric import Metric, Threshold, Timing, rate
from facepipe.bench.networks import interleaved
from facepipe.device import bfloat16_is_fast, lone_threads
from facepipe.renderers.imf.config import ImfConfig
from facepipe.renderers.imf.fast import FastImf
from facepipe.renderers.imf.net import Imf, restored
from facepipe.renderers.imf.network import ImfNetwork

FRAMES = 2
"""Frames per thread and round."""
ROUNDS, LIMIT_SECONDS = 3, 60.0
PLAIN, FAST, HALF = "imf quarter, plain", "imf quarter, fused", "imf quarter, fused, bf16"
TOKENS = "imf quarter, fused, from tokens"
COMPACT = "imf-compact, from tokens"
RATIO, DIFFERENCE, MEMORY_GB = 3.0, 1.0, 1.2
Variant = Callable[[], object]


class Bench:
    """Networks of a size with random weights, a source and a driving picture."""

    def __init__(self, config: ImfConfig, threads: int) -> None:
        torch.manual_seed(0)
        self.net = Imf(config).eval().requires_grad_(False)
        pictures = smooth_pictures(6, config.side_pixels)
        settle(self.net, pictures)
        self.source, self.driving = pictures[:1], pictures[-1:]
        self.threads, self.pool = threads, lone_threads(threads, "bench")
        self.fused = {torch.float32: FastImf(self.net)}
        if bfloat16_is_fast():
            self.fused[torch.bfloat16] = FastImf(self.net, torch.bfloat16)
        self.prepared = {dtype: fast.prepare(self.source) for dtype, fast in self.fused.items()}

    @property
    def frames(self) -> int:
        """The number of frames of a call of a variant."""
        return FRAMES * self.threads

    def plain(self) -> Tensor:
        """Render one frame after another on all threads, and return the last."""
        with torch.inference_mode():
            made = [self.net(self.source, self.driving) for _ in range(self.frames)]
        last: Tensor = made[-1]
        return last

    def fast(self, dtype: torch.dtype = torch.float32) -> Callable[[], Tensor]:
        """Return a variant that renders frames of a driving picture."""
        net = self.fused[dtype]
        return self.parallel(lambda: net.render(self.prepared[dtype], net.token(self.driving)))

    def from_tokens(self, net: ImfNetwork) -> Callable[[], Tensor]:
        """Return a variant that renders frames of a token."""
        prepared, tokens = net.prepare(self.source), net.token(self.driving)
        return self.parallel(lambda: net.render(prepared, tokens))

    def parallel(self, render: Callable[[], Tensor]) -> Callable[[], Tensor]:
        """Return a variant that calls a function once per frame, on a thread of its own."""
        return lambda: [call.result() for call in [self.pool.submit(render) for _ in range(self.frames)]][-1]

    def parts(self) -> dict[str, Variant]:
        """Return the steps of a frame, plain and fused, on one thread."""
        made: dict[str, Variant] = {}
        with torch.inference_mode():
            token = self.net.token(self.driving)
            motion = self.net.token_decoder(token)
            sources = restored(self.net.prepare(self.source), len(self.net.config.level_sides))
            aligned = self.net.alignment(motion, sources)
        nets: dict[str, Any] = {"plain": self.net, "fused": self.fused[torch.float32]}
        for name, net in nets.items():
            aligner = net.alignment if isinstance(net, Imf) else net.aligner
            steps: dict[str, Variant] = {
                "token encoder": partial(net.token_encoder, self.driving),
                "token decoder": partial(net.token_decoder, token),
                "alignment": partial(aligner, motion, sources),
                "frame decoder": partial(net.frame_decoder, aligned),
            }
            made |= {f"  {step}, {name}": partial(self.alone, call) for step, call in steps.items()}
        made["  dense encoder, plain"] = partial(self.alone, partial(self.net.dense_encoder, self.source))
        return made

    def alone(self, call: Variant) -> object:
        """Call a function once, on a thread of its own."""

        def run() -> object:
            with torch.inference_mode():
                return call()

        return self.pool.submit(run).result()


def measure(rounds: int) -> Iterator[Metric]:
    """Return frames per second of each variant in the size "quarter" at 256x256, timed in turns, and their ratios."""
    yield from measure_size(ImfConfig.of("quarter"), rounds)


def measure_size(config: ImfConfig, rounds: int) -> Iterator[Metric]:
    """Measure networks of any size; see `measure`."""
    bench = Bench(config, torch.get_num_threads())
    variants: dict[str, Variant] = {PLAIN: bench.plain, FAST: bench.fast()}
    if torch.bfloat16 in bench.fused:
        variants[HALF] = bench.fast(torch.bfloat16)
    variants[TOKENS] = bench.from_tokens(bench.fused[torch.float32])
    if compact := compact_network():
        variants[COMPACT] = bench.from_tokens(compact)
    pictures = {name: variant() for name, variant in variants.items()}
    timings = interleaved(variants, max(rounds, ROUNDS), least=ROUNDS, seconds=LIMIT_SECONDS)
    for name, rows in timings.items():
        yield rate(name, bench.frames, rows)
    for name in (FAST, HALF, TOKENS):
        if name in timings:
            yield from _comparison(name, timings, pictures)
    for name, rows in interleaved(bench.parts(), max(rounds, ROUNDS)).items():
        values = tuple(1e3 * row.seconds for row in rows)
        yield Metric(name, "ms", values, cpu_seconds=median(row.cpu_seconds for row in rows))
    # The plain and the fused networks are both in memory.
    yield Metric("imf, peak memory of this process", "GB", (peak_gigabytes(),), Threshold(MEMORY_GB, "at most"))


def smooth_pictures(count: int, side: int) -> Tensor:
    """Return (count, 3, side, side) in [-1, 1], about as smooth as photographs."""
    coarse = torch.rand(count, 3, side // 8, side // 8) * 2 - 1
    return F.interpolate(coarse, scale_factor=8.0, mode="bilinear", align_corners=False)


def settle(net: Imf, pictures: Tensor) -> None:
    """Set the statistics of batch norms to those of pictures: with others, signals and differences would fade away."""
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        net.train()(*pictures.chunk(2))
    for norm in norms:
        assert norm.running_var is not None
        # Channels that hardly vary would amplify rounding errors.
        norm.running_var.clamp_(min=float(norm.running_var.mean()))
    net.eval()


def compact_network() -> ImfNetwork | None:
    """Return the embedded network in its own size with random weights; None if this program has none."""
    package = "facepipe.renderers.imf.compact"
    if not find_spec(package):
        return None
    network, config = (resolve_name(f"{package}.{name}") for name in ("net:ImfCompact", "config:ImfCompactConfig"))
    net: ImfNetwork = network(config()).eval().requires_grad_(False)
    return net


def peak_gigabytes() -> float:
    """Return the largest memory that this process has had."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def _comparison(name: str, timings: Mapping[str, list[Timing]], pictures: Mapping[str, object]) -> Iterator[Metric]:
    """Yield the speed-up of a variant in each round, by the clock and by processor time, and its difference."""
    limit = Threshold(RATIO, "at least") if name == FAST else None
    pairs = list(zip(timings[PLAIN], timings[name], strict=True))
    yield Metric(f"{name} over plain", "times", tuple(one.seconds / two.seconds for one, two in pairs), limit)
    # Other programs slow threads that wait for each other more than those that do not.
    values = tuple(one.cpu_seconds / two.cpu_seconds for one, two in pairs if two.cpu_seconds)
    if values:
        yield Metric(f"{name} over plain, processor time", "times", values)
    plain, other = pictures[PLAIN], pictures[name]
    assert isinstance(plain, Tensor)
    assert isinstance(other, Tensor)
    largest = (plain - other).abs().max().item()
    bar = None if name == HALF else Threshold(DIFFERENCE, "at most")
    yield Metric(f"{name}, max difference", "1e-4", (largest * 1e4,), bar)
    if name == HALF:
        yield Metric(f"{name}, mean difference", "of 255", ((plain - other).abs().mean().item() * 127.5,))
