"""Speed of PIRenderer's network alone: the fast implementation against the plain one."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facepipe.bench.metric import Metric, Threshold, rate
from facepipe.bench.networks import SIDE, in_turns, times_as_fast
from facepipe.bench.recipe import PIRENDER, filled_state
from facepipe.device import bfloat16_is_fast
from facepipe.renderers.pirender.config import PirenderConfig
from facepipe.renderers.pirender.editing import ResidualBlock
from facepipe.renderers.pirender.inference import FastPirender
from facepipe.renderers.pirender.net import Pirender, Rendering

FRAMES, GPU_BATCH = 27, 16
RATIO, AMX_RATIO, DIFFERENCE = 1.5, 4.0, 1.0


def measure(rounds: int) -> Iterable[Metric]:
    """Return the speed of the published size at batch 1 and 256x256: as published, and ours, in turns.

    As published is the plain forward in inference_mode, the residual blocks' unused branch computed too.
    """
    torch.manual_seed(0)
    # As smooth as a photograph: where neighbours have nothing to do with each other, rounding a place shows tenfold.
    picture = F.interpolate(torch.rand(1, 3, SIDE // 8, SIDE // 8) * 2 - 1, scale_factor=8.0, mode="bilinear")
    window = torch.randn(1, 73, FRAMES)
    published, plain = as_official(random_pirender()), random_pirender()
    ways = {
        "pirender official": plainly(published, picture, window),
        "pirender plain": plainly(plain, picture, window),
        "pirender fast": quickly(FastPirender(random_pirender(), dtype=torch.float32), picture, window),
    }
    if bfloat16_is_fast():
        ways["pirender fast, bf16"] = quickly(FastPirender(random_pirender(), dtype=torch.bfloat16), picture, window)
    if torch.cuda.is_available():
        ways["pirender on the GPU"] = _on_gpu(picture, window)
    made = {name: way() for name, way in ways.items()}
    spent = in_turns(ways, rounds)
    for name, times in spent.items():
        yield rate(name, len(made[name].warp_image), times)
    first, fast = "pirender official", "pirender fast"
    yield times_as_fast(first, fast, spent, Threshold(RATIO, "at least"))
    yield difference(f"{fast}, furthest off", made[first], made[fast])
    if (half := "pirender fast, bf16") in spent:
        yield times_as_fast(first, half, spent, Threshold(AMX_RATIO, "at least"))
        yield difference(f"{half}, mean difference", made[first], made[half], mean=True)


def random_pirender() -> Pirender:
    """Return a network of the published size, its weights by recipe."""
    net = Pirender(PirenderConfig()).eval().requires_grad_(False)
    net.load_state_dict(filled_state(net.state_dict(), PIRENDER))
    return net


def as_official(net: Pirender) -> Pirender:
    """Have the network compute, and throw away, what the published one does."""

    def waste(block: nn.Module, arguments: tuple[Tensor, Tensor]) -> None:
        assert isinstance(block, ResidualBlock)
        block.norm1(block.conv1(arguments[0]), arguments[1])

    for module in net.modules():
        if isinstance(module, ResidualBlock):
            module.register_forward_pre_hook(waste)
    return net


def plainly(net: Pirender, picture: Tensor, window: Tensor) -> Callable[[], Rendering]:
    """Return what renders one frame with nothing known before."""

    def render() -> Rendering:
        with torch.inference_mode():
            return Rendering(*net(picture, window))

    return render


def quickly(fast: FastPirender, picture: Tensor, windows: Tensor) -> Callable[[], Rendering]:
    """Return what renders frames of a source and a motion that were worked on before."""
    work, steering = fast.prepare(picture), fast.steer(windows)
    return lambda: fast.render(work, steering)


def _on_gpu(picture: Tensor, window: Tensor) -> Callable[[], Rendering]:
    render = quickly(FastPirender(random_pirender().cuda()), picture, window.expand(GPU_BATCH, -1, -1))

    def finished() -> Rendering:
        return Rendering(*(part.cpu() for part in render() if part is not None))

    return finished


def difference(name: str, plain: Rendering, other: Rendering, *, mean: bool = False) -> Metric:
    """Return how far off pictures are: the furthest number of any output in 1e-4, or the mean in 255ths."""
    assert plain.fake_image is not None
    assert other.fake_image is not None
    if mean:
        off = (plain.fake_image - other.fake_image.float()).abs().mean().item() * 127.5
        return Metric(name, "of 255", (off,), Threshold(2, "at most"))
    pairs = [
        (plain.flow_field, other.flow_field),
        (plain.warp_image, other.warp_image),
        (plain.fake_image, other.fake_image),
    ]
    furthest = max((one - two).abs().max().item() for one, two in pairs)
    return Metric(name, "1e-4", (furthest * 1e4,), Threshold(DIFFERENCE, "at most"))
