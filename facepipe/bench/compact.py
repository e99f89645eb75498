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
from facepipe.renderers.compact.config import HINT_CHANNELS, CompactConfig
from facepipe.renderers.compact.net import CompactNet

BATCHES, BATCH = (1, 2, 4, 8), 4
FAST, PLAIN = Bar(40, "at least"), Bar(10, "at least")
Inputs = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def measure_compact(rounds: int) -> Iterable[Figure]:
    """Return frames a second by batch at 256x256, the fastest precision first, and milliseconds a frame by block.

    The weights are random, which no speed depends on.
    """
    dtypes = {"bf16": torch.bfloat16} if bfloat16_is_fast() else {}
    dtypes["fp32"] = torch.float32
    for name, dtype in dtypes.items():
        net, bar = compact_net(dtype), FAST if dtype == torch.bfloat16 else PLAIN
        ways = {f"compact {name}, {count} at a time": drawing(net, inputs(count, dtype)) for count in BATCHES}
        for way in ways.values():
            way()
        for count, (way_name, spent) in zip(BATCHES, in_turns(ways, max(rounds, 5)).items(), strict=True):
            yield rate(way_name, count, spent, bar if count == BATCH else None)
    first = next(iter(dtypes.values()))
    net = compact_net(first)
    for block, seconds in block_seconds(net, inputs(BATCH, first), max(rounds, 5)).items():
        yield Figure(f"  {block}", "ms", tuple(one / BATCH * 1000 for one in seconds))


def compact_net(dtype: torch.dtype) -> CompactNet:
    """Return a network of the embedded size with random weights."""
    torch.manual_seed(0)
    net = CompactNet(CompactConfig()).eval().requires_grad_(False)
    return net.to(dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def inputs(count: int, dtype: torch.dtype) -> Inputs:
    """Return what the network is given of some frames, as its renderer gives it."""

    def random(channels: int, side: int) -> Tensor:
        return torch.rand(count, channels, side, side).contiguous(memory_format=torch.channels_last)

    pictures = (random(3, SIDE).to(dtype) * 2 - 1 for _ in range(2))
    source, prior = pictures
    hints = random(HINT_CHANNELS, SIDE // 2).to(dtype)
    return source, prior, random(2, SIDE) * 2 - 1, hints, torch.randn(count, CompactConfig.motion_channels).to(dtype)


def drawing(net: CompactNet, given: Inputs) -> Callable[[], Tensor]:
    """Return what draws a batch."""

    def draw() -> Tensor:
        with torch.inference_mode():
            return net(*given).picture  # type: ignore[no-any-return]

    return draw


def block_seconds(net: CompactNet, given: Inputs, rounds: int) -> dict[str, list[float]]:
    """Return what each block of the network takes in each round, what lies between them as the last."""
    spent: dict[str, list[float]] = defaultdict(list)
    began: dict[str, float] = {}
    handles = []
    for name, block in blocks(net).items():
        handles.append(block.register_forward_pre_hook(lambda *_, name=name: began.update({name: time.perf_counter()})))
        handles.append(
            block.register_forward_hook(
                lambda *_, name=name: spent[name].append(time.perf_counter() - began[name])  # type: ignore[misc]
            )
        )
    draw, rest = drawing(net, given), []
    draw()
    spent.clear()
    for _ in range(rounds):
        first = time.perf_counter()
        draw()
        whole = time.perf_counter() - first
        rest.append(whole - sum(times[-1] for times in spent.values()))
    for handle in handles:
        handle.remove()
    return {**spent, "shuffling, sampling, blending": rest}


def blocks(net: CompactNet) -> dict[str, nn.Module]:
    """Return the parts whose costs are told, by name; none lies within another."""
    parts: dict[str, nn.Module] = {"mapping": net.mapping}
    for name, hourglass in (("warping", net.warping), ("editing", net.editing)):
        parts[f"{name}, enter"] = hourglass.enter
        for level, down in enumerate(hourglass.down, 1):
            parts[f"{name}, down to level {level}"] = down
        for level, level_blocks in enumerate(hourglass.blocks):
            for number, block in enumerate(level_blocks):  # type: ignore[arg-type]
                parts[f"{name}, level {level}, block {number + 1}"] = block
        for level in range(len(hourglass.up)):
            parts[f"{name}, up to level {level}"] = hourglass.up[level]
            parts[f"{name}, norm of level {level}"] = hourglass.norms[level]
            parts[f"{name}, join of level {level}"] = hourglass.join[level]
    return {**parts, "correction": net.correction, "final": net.final}
