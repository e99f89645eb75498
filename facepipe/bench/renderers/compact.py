"""Speed of the compact network alone: by batch size, precision and picture size, against its plain form; by block."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

from facepipe.bench.blocks import block_seconds
from facepipe.bench.metric import Metric, Threshold, Timing, rate
from facepipe.bench.networks import SIDE, interleaved, speedup
from facepipe.device import bfloat16_is_fast
from facepipe.renderers.compact.config import CompactConfig
from facepipe.renderers.compact.net import CompactNet, Rendered, in_precision
from facepipe.renderers.compact.renderer import BATCH_FRAMES
from facepipe.rendering.batches import Batches
from facepipe.rendering.compiling import compiled
from facepipe.rendering.conditioning import CONDITIONING_CHANNELS

BATCHES, BATCH, LARGE_SIDE = (1, 2, 4, 8), BATCH_FRAMES["cpu"], 512
FRAMES = 16
"""Frames per thread and round."""
FAST, FULL = Threshold(40, "at least"), Threshold(10, "at least")
PLAIN = "compact plain"
Variants = dict[str, Callable[[], None]]


def measure(rounds: int) -> Iterable[Metric]:
    """Return frames per second at 256x256 by batch size, and milliseconds per frame by block.

    The fastest precision comes first. As in use, each thread renders its own batch; blocks are timed on one thread. The
    plain form, timed in turns with the fastest precision, is float32, frame by frame, with all threads on each frame.
    The weights are random; speed does not depend on them.
    """
    threads, rounds = torch.get_num_threads(), max(rounds, 5)
    dtypes = {"bf16": torch.bfloat16} if bfloat16_is_fast() else {}
    dtypes["fp32"] = torch.float32
    fastest = next(iter(dtypes))
    for name, dtype in dtypes.items():
        net, default = compact_net(dtype), f"compact {name}, batches of {BATCH}"
        variants = {
            f"compact {name}, batches of {count}": rendering(net, inputs(count, dtype), threads, FRAMES * threads)
            for count in BATCHES
        }
        if name == fastest:
            variants |= _others(dtype, threads)
        timings = _timings(variants, rounds)
        for variant, rows in timings.items():
            threshold = FAST if dtype == torch.bfloat16 else FULL
            yield rate(variant, FRAMES * threads, rows, threshold if variant == default else None)
        if name == fastest:
            yield speedup(PLAIN, default, timings)
    yield from _blocks(dtypes[fastest], rounds)
    torch.set_num_threads(threads)


def _others(dtype: torch.dtype, threads: int) -> Variants:
    """Return the plain form, larger pictures in a precision, and the GPU if there is one."""
    frames = FRAMES * threads
    variants = {
        PLAIN: rendering(compact_net(torch.float32), inputs(1, torch.float32), 0, frames),
        f"compact at {LARGE_SIDE}, batches of {BATCH}": rendering(
            compact_net(dtype), inputs(BATCH, dtype, LARGE_SIDE), threads, frames
        ),
    }
    if torch.cuda.is_available():
        net = compact_net(torch.bfloat16).cuda()
        batch = tuple(part.cuda() for part in inputs(BATCH_FRAMES["cuda"], torch.bfloat16))
        variants["compact on the GPU"] = rendering(net, batch, 1, frames)
        variants["compact on the GPU, compiled"] = rendering(compiled(net, torch.device("cuda")), batch, 1, frames)
    return variants


def _timings(variants: Variants, rounds: int) -> Mapping[str, list[Timing]]:
    for variant in variants.values():
        variant()
    return interleaved(variants, rounds)


def _blocks(dtype: torch.dtype, rounds: int) -> Iterable[Metric]:
    torch.set_num_threads(1)
    for block, seconds in block_seconds(compact_net(dtype), inputs(BATCH, dtype), rounds).items():
        yield Metric(f"  {block}", "ms", tuple(one / BATCH * 1000 for one in seconds))


def compact_net(dtype: torch.dtype) -> CompactNet:
    """Return a network of the shipped size with random weights."""
    torch.manual_seed(0)
    net = CompactNet(CompactConfig()).eval().requires_grad_(False)
    return in_precision(net, dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def inputs(count: int, dtype: torch.dtype, side: int = 0) -> tuple[Tensor, ...]:
    """Return inputs of the network for `count` frames of a side, by default SIDE, in the layout of the renderer."""
    side = side or SIDE

    def random(*shape: int) -> Tensor:
        return torch.rand(count, *shape)

    source, prior = (random(3, side, side).to(dtype) * 2 - 1 for _ in range(2))
    maps = random(CONDITIONING_CHANNELS, side // 2, side // 2).to(dtype).contiguous(memory_format=torch.channels_last)
    motion = torch.randn(count, CompactConfig.motion_channels)
    return source[:1], prior, random(2, side, side) * 2 - 1, maps, motion


def rendering(net: Callable[..., Rendered], batch: tuple[Tensor, ...], threads: int, frames: int) -> Callable[[], None]:
    """Return a function that renders frames in batches, one per thread at a time; with 0 threads in the calling one."""

    def render(_begin: int, _end: int) -> Tensor:
        with torch.inference_mode():
            return net(*batch).picture.cpu()

    def render_all() -> None:
        for _ in Batches(len(batch[1]), threads).run(frames, render):
            pass

    return render_all
