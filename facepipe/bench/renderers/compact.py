"""The compact network alone: its speed by batch, precision and size, against its plain form, and by blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

from facepipe.bench.blocks import block_seconds
from facepipe.bench.metric import Metric, Spent, Threshold, rate
from facepipe.bench.networks import SIDE, in_turns, times_as_fast
from facepipe.device import bfloat16_is_fast
from facepipe.renderers.compact.config import HINT_CHANNELS, CompactConfig
from facepipe.renderers.compact.net import CompactNet, Rendered
from facepipe.renderers.compact.renderer import BATCH_FRAMES
from facepipe.rendering.batches import Batches
from facepipe.rendering.compiling import compiled

BATCHES, BATCH, LARGE_SIDE = (1, 2, 4, 8), BATCH_FRAMES["cpu"], 512
FRAMES = 16
"""How many each thread draws in a round."""
FAST, FULL = Threshold(40, "at least"), Threshold(10, "at least")
PLAIN = "compact plain"
Ways = dict[str, Callable[[], None]]


def measure(rounds: int) -> Iterable[Metric]:
    """Return frames a second at 256x256 by batch, the fastest precision first, and milliseconds a frame by block.

    As in use, every thread draws a batch of its own; blocks are timed on one. In turns with the fastest precision comes
    the plain form, in float32 and frame by frame, all threads at each. The weights are random, which no speed depends
    on.
    """
    threads, rounds = torch.get_num_threads(), max(rounds, 5)
    dtypes = {"bf16": torch.bfloat16} if bfloat16_is_fast() else {}
    dtypes["fp32"] = torch.float32
    fastest = next(iter(dtypes))
    for name, dtype in dtypes.items():
        net, held = compact_net(dtype), f"compact {name}, batches of {BATCH}"
        ways = {
            f"compact {name}, batches of {count}": drawing(net, inputs(count, dtype), threads, FRAMES * threads)
            for count in BATCHES
        }
        if name == fastest:
            ways |= _others(dtype, threads)
        spent = _spent(ways, rounds)
        for way, times in spent.items():
            threshold = FAST if dtype == torch.bfloat16 else FULL
            yield rate(way, FRAMES * threads, times, threshold if way == held else None)
        if name == fastest:
            yield times_as_fast(PLAIN, held, spent)
    yield from _blocks(dtypes[fastest], rounds)
    torch.set_num_threads(threads)


def _others(dtype: torch.dtype, threads: int) -> Ways:
    """Return the plain form, larger pictures in a precision, and a GPU where there is one."""
    frames = FRAMES * threads
    ways = {
        PLAIN: drawing(compact_net(torch.float32), inputs(1, torch.float32), 0, frames),
        f"compact at {LARGE_SIDE}, batches of {BATCH}": drawing(
            compact_net(dtype), inputs(BATCH, dtype, LARGE_SIDE), threads, frames
        ),
    }
    if torch.cuda.is_available():
        net = compact_net(torch.bfloat16).cuda()
        given = tuple(part.cuda() for part in inputs(BATCH_FRAMES["cuda"], torch.bfloat16))
        ways["compact on the GPU"] = drawing(net, given, 1, frames)
        ways["compact on the GPU, compiled"] = drawing(compiled(net, torch.device("cuda")), given, 1, frames)
    return ways


def _spent(ways: Ways, rounds: int) -> Mapping[str, list[Spent]]:
    for way in ways.values():
        way()
    return in_turns(ways, rounds)


def _blocks(dtype: torch.dtype, rounds: int) -> Iterable[Metric]:
    torch.set_num_threads(1)
    for block, seconds in block_seconds(compact_net(dtype), inputs(BATCH, dtype), rounds).items():
        yield Metric(f"  {block}", "ms", tuple(one / BATCH * 1000 for one in seconds))


def compact_net(dtype: torch.dtype) -> CompactNet:
    """Return a network of the embedded size with random weights."""
    torch.manual_seed(0)
    net = CompactNet(CompactConfig()).eval().requires_grad_(False)
    return net.to(dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def inputs(count: int, dtype: torch.dtype, side: int = 0) -> tuple[Tensor, ...]:
    """Return what the network is given of some frames, of its own size or another, as its renderer gives it."""
    side = side or SIDE

    def random(*shape: int) -> Tensor:
        return torch.rand(count, *shape)

    source, prior = (random(3, side, side).to(dtype) * 2 - 1 for _ in range(2))
    hints = random(HINT_CHANNELS, side // 2, side // 2).to(dtype).contiguous(memory_format=torch.channels_last)
    motion = torch.randn(count, CompactConfig.motion_channels).to(dtype)
    return source[:1], prior, random(2, side, side) * 2 - 1, hints, motion


def drawing(net: Callable[..., Rendered], given: tuple[Tensor, ...], threads: int, frames: int) -> Callable[[], None]:
    """Return what draws so many frames in batches, one at a time in every thread; in this one where there are none."""

    def draw(_begin: int, _end: int) -> Tensor:
        with torch.inference_mode():
            return net(*given).picture.cpu()

    def draw_all() -> None:
        for _ in Batches(len(given[1]), threads).drawn(frames, draw):
            pass

    return draw_all
