"""Speed of the PIRenderer network alone: fast inference against the plain network."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facepipe.bench.metric import Metric, Threshold, rate
from facepipe.bench.networks import SIDE, interleaved, speedup
from facepipe.bench.recipe import PIRENDER, filled_state
from facepipe.device import bfloat16_is_fast
from facepipe.renderers.pirender.config import PirenderConfig
from facepipe.renderers.pirender.editing import ResidualBlock
from facepipe.renderers.pirender.inference import FastPirender
from facepipe.renderers.pirender.net import Pirender, Rendering

FRAMES, GPU_BATCH = 27, 16
RATIO, AMX_RATIO, DIFFERENCE = 1.5, 4.0, 1.0


def measure(rounds: int) -> Iterable[Metric]:
    """Return the speed in the published size at batch 1 and 256x256, with the variants timed in turns.

    "official" is the plain forward pass in inference mode, including the unused branch of the residual blocks.
    """
    torch.manual_seed(0)
    # As smooth as a photograph: in white noise, rounding of sampling positions causes ten times the difference.
    picture = F.interpolate(torch.rand(1, 3, SIDE // 8, SIDE // 8) * 2 - 1, scale_factor=8.0, mode="bilinear")
    window = torch.randn(1, 73, FRAMES)
    published, plain = as_official(random_pirender()), random_pirender()
    variants = {
        "pirender official": plain_rendering(published, picture, window),
        "pirender plain": plain_rendering(plain, picture, window),
        "pirender fast": fast_rendering(FastPirender(random_pirender(), dtype=torch.float32), picture, window),
    }
    if bfloat16_is_fast():
        variants["pirender fast, bf16"] = fast_rendering(
            FastPirender(random_pirender(), dtype=torch.bfloat16), picture, window
        )
    if torch.cuda.is_available():
        variants["pirender on the GPU"] = _on_gpu(picture, window)
    results = {name: variant() for name, variant in variants.items()}
    timings = interleaved(variants, rounds)
    for name, rows in timings.items():
        yield rate(name, len(results[name].warp_image), rows)
    first, fast = "pirender official", "pirender fast"
    yield speedup(first, fast, timings, Threshold(RATIO, "at least"))
    yield difference(f"{fast}, max difference", results[first], results[fast])
    if (half := "pirender fast, bf16") in timings:
        yield speedup(first, half, timings, Threshold(AMX_RATIO, "at least"))
        yield difference(f"{half}, mean difference", results[first], results[half], mean=True)


def random_pirender() -> Pirender:
    """Return a network of the published size with the weights of the recipe."""
    net = Pirender(PirenderConfig()).eval().requires_grad_(False)
    net.load_state_dict(filled_state(net.state_dict(), PIRENDER))
    return net


def as_official(net: Pirender) -> Pirender:
    """Make a network also compute, and discard, the unused branch, as the published one does."""

    def compute_unused(block: nn.Module, arguments: tuple[Tensor, Tensor]) -> None:
        assert isinstance(block, ResidualBlock)
        block.norm1(block.conv1(arguments[0]), arguments[1])

    for module in net.modules():
        if isinstance(module, ResidualBlock):
            module.register_forward_pre_hook(compute_unused)
    return net


def plain_rendering(net: Pirender, picture: Tensor, window: Tensor) -> Callable[[], Rendering]:
    """Return a function that renders one frame with the plain network."""

    def render() -> Rendering:
        with torch.inference_mode():
            return Rendering(*net(picture, window))

    return render


def fast_rendering(fast: FastPirender, picture: Tensor, windows: Tensor) -> Callable[[], Rendering]:
    """Return a function that renders frames from precomputed features and modulation."""
    features, modulation = fast.prepare(picture), fast.modulate(windows)
    return lambda: fast.render(features, modulation)


def _on_gpu(picture: Tensor, window: Tensor) -> Callable[[], Rendering]:
    render = fast_rendering(FastPirender(random_pirender().cuda()), picture, window.expand(GPU_BATCH, -1, -1))

    def rendered() -> Rendering:
        return Rendering(*(part.cpu() for part in render() if part is not None))

    return rendered


def difference(name: str, plain: Rendering, other: Rendering, *, mean: bool = False) -> Metric:
    """Return the largest difference of any output, in units of 1e-4, or the mean one of pictures, in grey levels."""
    assert plain.fake_image is not None
    assert other.fake_image is not None
    if mean:
        mean_difference = (plain.fake_image - other.fake_image.float()).abs().mean().item() * 127.5
        return Metric(name, "of 255", (mean_difference,), Threshold(2, "at most"))
    pairs = [
        (plain.flow_field, other.flow_field),
        (plain.warp_image, other.warp_image),
        (plain.fake_image, other.fake_image),
    ]
    largest = max((one - two).abs().max().item() for one, two in pairs)
    return Metric(name, "1e-4", (largest * 1e4,), Threshold(DIFFERENCE, "at most"))
