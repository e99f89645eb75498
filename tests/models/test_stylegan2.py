"""StyleGAN2 against the reference numbers of another implementation, and against the formulas of the paper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from facepipe.models.stylegan2.discriminator import Discriminator, ResidualBlock, conv_layer, with_spread
from facepipe.models.stylegan2.generator import Generator, GeneratorConfig, read_official
from facepipe.models.stylegan2.layers import FILTER, Blur, EqualLinear, ModulatedConv, StyledConv, ToRgb, Upsample
from tests.fixtures import load_fixture

# Layers of the fixture with their sizes, and the names of their inputs in order.
LAYERS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "convlayer_down": (lambda: conv_layer(10, 14, 3, halve=True), ("x",)),
    "convlayer_down_odd": (lambda: conv_layer(10, 14, 3, halve=True), ("x",)),
    "convlayer_skip": (lambda: conv_layer(10, 14, 1, halve=True, active=False), ("x",)),
    "convlayer_flat": (lambda: conv_layer(3, 14, 1), ("x",)),
    "resblock": (lambda: ResidualBlock(10, 14), ("x",)),
    "styledconv_up": (lambda: StyledConv(12, 9, 16, upsample=True), ("x", "style", "noise")),
    "styledconv_flat": (lambda: StyledConv(12, 9, 16), ("x", "style", "noise")),
    "torgb_skip": (lambda: ToRgb(12, 16), ("x", "style", "skip")),
    "equallinear_fused": (lambda: EqualLinear(20, 13, active=True), ("x",)),
    "equallinear_fused_lr": (lambda: EqualLinear(20, 13, active=True, rate=0.01), ("x",)),
    "equallinear_plain": (lambda: EqualLinear(20, 13), ("x",)),
    "discriminator": (lambda: Discriminator((40, 32, 28, 18)), ("x",)),
}
TORCH_SEED = 5


@pytest.fixture(scope="module")
def reference() -> tuple[dict[str, Tensor], dict[str, Any]]:
    return load_fixture("stylegan2_small")


def part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def noise_of(tensors: Mapping[str, Tensor]) -> list[Tensor]:
    return [tensors[f"in.noise_{place}"] for place in range(7)]


def agree(name: str, found: Tensor, reference: tuple[dict[str, Tensor], dict[str, Any]]) -> None:
    """Compare within the tolerance that the sidecar states."""
    tensors, sidecar = reference
    largest = sidecar["tolerance"]["max_magnitude"][name]
    error = max(20 * sidecar["tolerance"]["float32_error"][name], 1e-4 * largest)
    torch.testing.assert_close(found, tensors[name], rtol=1e-4, atol=error, msg=lambda text: f"{name}: {text}")


@pytest.fixture(scope="module")
def generator(reference: tuple[dict[str, Tensor], dict[str, Any]]) -> Generator:
    config = reference[1]["config"]
    net = Generator(GeneratorConfig(config["style_dim"], tuple(config["channels"].values()), config["n_mlp"]))
    net.load_state_dict(read_official(part(reference[0], "state.")), strict=True)
    return net


@pytest.mark.parametrize("name", LAYERS)
def test_layers_agree(name: str, reference: tuple[dict[str, Tensor], dict[str, Any]]) -> None:
    """Each layer alone, with the reference's state under its own names."""
    build, inputs = LAYERS[name]
    state = read_official(part(reference[0], f"layer.{name}.state."))
    net = build()
    net.load_state_dict(state, strict=True)
    given = [reference[0][f"layer.{name}.in.{one}"] for one in inputs]
    agree(f"layer.{name}.out.y", net(*given), reference)


def test_synthesis_agrees(reference: tuple[dict[str, Tensor], dict[str, Any]], generator: Generator) -> None:
    """Styles and pictures of one latent, two latents, W+ and a truncated latent."""
    tensors, config = reference[0], reference[1]["config"]
    noise = noise_of(tensors)
    style, other = generator.style(tensors["in.z"]), generator.style(tensors["in.z2"])
    agree("out.w", style, reference)
    repeated = style[:, None].expand(-1, generator.styles, -1)
    mixed = repeated.clone()
    mixed[:, config["inject_index"] :] = other[:, None]
    mean = tensors["in.truncation_latent"]
    truncated = torch.lerp(mean, style, config["truncation"])[:, None].expand(-1, generator.styles, -1)
    agree("out.image_z", generator.draw(repeated, noise), reference)
    agree("out.image_buffer_noise", generator.draw(repeated, generator.stored_noise()), reference)
    agree("out.image_w_plus", generator.draw(tensors["in.w_plus"], noise), reference)
    agree("out.image_truncated", generator.draw(truncated, noise), reference)
    agree("out.image_mixed", generator.draw(mixed, noise), reference)


def test_activations_agree(reference: tuple[dict[str, Tensor], dict[str, Any]], generator: Generator) -> None:
    """The output of every layer inside the synthesis, so that two errors cannot cancel."""
    found: dict[str, Tensor] = {}
    names = part(reference[0], "act.")
    hooks = [
        generator.get_submodule(name).register_forward_hook(lambda _m, _i, out, name=name: found.update({name: out}))
        for name in names
    ]
    style = generator.style(reference[0]["in.z"])
    generator.draw(style[:, None].expand(-1, generator.styles, -1), noise_of(reference[0]))
    for hook in hooks:
        hook.remove()
    assert len(found) == len(names) > 8
    for name in names:
        agree(f"act.{name}", found[name][:1], reference)


def test_gradients_agree(reference: tuple[dict[str, Tensor], dict[str, Any]], generator: Generator) -> None:
    """Of the style, and of a weight, a modulation, a noise strength and the constant."""
    tensors = reference[0]
    style = tensors["out.w"].clone().requires_grad_()
    picture = generator.draw(style[:, None].expand(-1, generator.styles, -1), noise_of(tensors))
    names = list(part(tensors, "grad.state."))
    scalar = (picture * tensors["in.probe"]).sum()
    gradients = torch.autograd.grad(scalar, [style, *[generator.get_parameter(name) for name in names]])
    agree("grad.w", gradients[0], reference)
    for name, gradient in zip(names, gradients[1:], strict=True):
        shape = tensors[f"grad.state.{name}"].shape
        agree(f"grad.state.{name}", gradient.view(shape), reference)


@pytest.mark.parametrize("upsample", [False, True])
def test_modulated_convolution_is_that_of_the_paper(upsample: bool) -> None:
    """One kernel per sample: modulated, then divided by its norm (equations 1 and 3)."""
    torch.manual_seed(TORCH_SEED)
    conv = ModulatedConv(5, 4, 3, 7, upsample=upsample)
    x, style = torch.randn(3, 5, 6, 6), torch.randn(3, 7)
    wanted = []
    for one, scale in zip(x, conv.modulation(style), strict=True):
        kernel = conv.scale * conv.weight * scale[None, :, None, None]
        kernel = kernel / kernel.square().sum((1, 2, 3), keepdim=True).sqrt()
        if upsample:
            assert conv.blur is not None
            wanted.append(conv.blur(functional.conv_transpose2d(one[None], kernel.transpose(0, 1), stride=2)))
        else:
            wanted.append(functional.conv2d(one[None], kernel, padding=1))
    torch.testing.assert_close(conv(x, style), torch.cat(wanted), rtol=1e-4, atol=1e-5)


def slowly_filtered(x: Tensor, before: int, after: int, gain: float) -> Tensor:
    """Filter each row and column by sums over the taps, zeros outside."""
    taps = torch.tensor(FILTER) / sum(FILTER)
    for dim in (2, 3):
        x = x.transpose(dim, 3)
        wide = functional.pad(x, (before, after))
        places = wide.shape[3] - len(taps) + 1
        shifted = [tap * wide[..., start : start + places] for start, tap in enumerate(taps)]
        x = torch.stack(shifted).sum(0).transpose(dim, 3)
    return gain * x


def test_filters_are_sums_over_taps() -> None:
    """Blur and up-sampling against separate sums for rows and columns."""
    torch.manual_seed(TORCH_SEED)
    x = torch.randn(2, 3, 5, 6)
    torch.testing.assert_close(Blur((2, 1), gain=3.0)(x), slowly_filtered(x, 2, 1, 3.0))
    spaced = torch.zeros(2, 3, 10, 12)
    spaced[:, :, ::2, ::2] = x
    torch.testing.assert_close(Upsample()(x), slowly_filtered(spaced, 2, 1, 4.0))


def test_spread_is_of_groups() -> None:
    """Eight pictures are two groups of four, those at even and those at odd places."""
    torch.manual_seed(TORCH_SEED)
    x = torch.randn(8, 3, 4, 4)
    found = with_spread(x)[:, 3]
    for first in range(2):
        spread = x[first::2].std(0, unbiased=False).mean()
        torch.testing.assert_close(found[first::2], spread.expand(4, 4, 4), rtol=1e-4, atol=1e-5)


def test_zero_noise_is_no_noise(generator: Generator) -> None:
    """Maps of zeros draw the same picture as none."""
    styles = torch.randn(1, generator.styles, 24)
    zeros = [torch.zeros_like(noise) for noise in generator.stored_noise()]
    torch.testing.assert_close(generator.draw(styles), generator.draw(styles, zeros))
