"""The compact network alone: its speed by batch and precision, and what each of its blocks costs."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from facepipe.bench.figure import Bar, Figure, rate
from facepipe.bench.renderers import SIDE, in_turns
from facepipe.device import bfloat16_is_fast
from facepipe.renderers.batches import Batches
from facepipe.renderers.compact.config import HINT_CHANNELS, CompactConfig
from facepipe.renderers.compact.net import CompactNet

BATCHES, BATCH, IN_A_ROW = (1, 2, 4, 8), 4, 4
FAST, PLAIN = Bar(40, "at least"), Bar(10, "at least")
Inputs = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def measure_compact(rounds: int) -> Iterable[Figure]:
    """Return frames a second at 256x256 by batch, the fastest precision first, and milliseconds a frame by block.

    As in use, every thread draws a batch of its own; blocks are timed on one. The weights are random, which no speed
    depends on.
    """
    threads = torch.get_num_threads()
    dtypes = {"bf16": torch.bfloat16} if bfloat16_is_fast() else {}
    dtypes["fp32"] = torch.float32
    for name, dtype in dtypes.items():
        net, bar = compact_net(dtype), FAST if dtype == torch.bfloat16 else PLAIN
        ways = {count: drawing(net, inputs(count, dtype), threads) for count in BATCHES}
        for way in ways.values():
            way()
        spent = in_turns({f"compact {name}, batches of {count}": way for count, way in ways.items()}, max(rounds, 5))
        for count, (way_name, times) in zip(BATCHES, spent.items(), strict=True):
            yield rate(way_name, count * threads * IN_A_ROW, times, bar if count == BATCH else None)
    yield from _blocks(next(iter(dtypes.values())), max(rounds, 5))
    torch.set_num_threads(threads)


def _blocks(dtype: torch.dtype, rounds: int) -> Iterable[Figure]:
    torch.set_num_threads(1)
    for block, seconds in block_seconds(compact_net(dtype), inputs(BATCH, dtype), rounds).items():
        yield Figure(f"  {block}", "ms", tuple(one / BATCH * 1000 for one in seconds))


def compact_net(dtype: torch.dtype) -> CompactNet:
    """Return a network of the embedded size with random weights."""
    torch.manual_seed(0)
    net = CompactNet(CompactConfig()).eval().requires_grad_(False)
    return net.to(dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def inputs(count: int, dtype: torch.dtype) -> Inputs:
    """Return what the network is given of some frames, as its renderer gives it."""

    def random(*shape: int) -> Tensor:
        return torch.rand(count, *shape)

    source, prior = (random(3, SIDE, SIDE).to(dtype) * 2 - 1 for _ in range(2))
    hints = random(HINT_CHANNELS, SIDE // 2, SIDE // 2).to(dtype).contiguous(memory_format=torch.channels_last)
    motion = torch.randn(count, CompactConfig.motion_channels).to(dtype)
    return source[:1], prior, random(2, SIDE, SIDE) * 2 - 1, hints, motion


def drawing(net: CompactNet, given: Inputs, threads: int) -> Callable[[], None]:
    """Return what draws some batches in a row in every thread."""
    count = len(given[1])

    def draw(_begin: int, _end: int) -> Tensor:
        with torch.inference_mode():
            return net(*given).picture  # type: ignore[no-any-return]

    def draw_all() -> None:
        for _ in Batches(count, threads).drawn(count * threads * IN_A_ROW, draw):
            pass

    return draw_all


def block_seconds(net: CompactNet, given: Inputs, rounds: int) -> dict[str, list[float]]:
    """Return what each block of the network takes in each round, what lies between them as the last."""
    spent: dict[str, list[float]] = defaultdict(list)
    began: dict[str, float] = {}
    handles = []
    for name, block in blocks(net).items():
        handles.append(block.register_forward_pre_hook(lambda *_, name=name: began.update({name: time.perf_counter()})))
        handles.append(
            block.register_forward_hook(lambda *_, name=name: spent[name].append(time.perf_counter() - began[name]))
        )
    rest = []
    for _ in range(rounds + 1):
        first = time.perf_counter()
        with torch.inference_mode():
            net(*given)
        whole = time.perf_counter() - first
        rest.append(whole - sum(times[-1] for times in spent.values()))
    for handle in handles:
        handle.remove()
    # The first round warms up.
    return {name: times[1:] for name, times in {**spent, "shuffling, sampling, blending": rest}.items()}


def blocks(net: CompactNet) -> dict[str, nn.Module]:
    """Return the parts whose costs are told, by name; none lies within another."""
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
