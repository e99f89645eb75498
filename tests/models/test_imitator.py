"""The imitator: sizes, the compact generator against plain loops, gradients, files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from facepipe.avatar.layout import LENGTH
from facepipe.checkpoint import load_network, save_network
from facepipe.models.imitator import NAME, CompactGenerator, CompactImitatorConfig, Imitator, ImitatorConfig
from facepipe.models.stylegan2.discriminator import Discriminator

TINY = CompactImitatorConfig(length=7, hidden=(6,), style=5, widths=(4, 6), enlargement=2)
TINY_PAPER = ImitatorConfig(length=7, hidden=(6, 5), style=8, widths=(8, 6), mapping_layers=2)
MOST_BYTES = 4_000_000


def test_sizes_of_the_paper() -> None:
    """Fourteen networks from vector to one style of 512 each, and StyleGAN2 of 256 pixels."""
    with torch.device("meta"):
        net = Imitator(ImitatorConfig())
    assert (net.generator.styles, net.generator.style_width, net.generator.side) == (14, 512, 256)
    assert len(net.encoders) == 14
    shapes = [tuple(parameter.shape) for parameter in net.encoders[0].parameters() if parameter.dim() == 2]
    assert shapes == [(256, LENGTH), (512, 256), (512, 512)]
    synthesis = [p.numel() for name, p in net.generator.named_parameters() if not name.startswith("style.")]
    assert 25e6 < sum(synthesis) < 30e6


@pytest.mark.parametrize("config", [CompactImitatorConfig(), ImitatorConfig()], ids=["compact", "paper"])
def test_vectors_have_the_length_of_the_engine(config: CompactImitatorConfig | ImitatorConfig) -> None:
    assert config.length == LENGTH


@pytest.mark.parametrize("config", [TINY, TINY_PAPER], ids=["compact", "paper"])
def test_discriminator_fits_the_generator(config: CompactImitatorConfig | ImitatorConfig) -> None:
    """Its features end at four pixels, whatever the generator's side."""
    net = Imitator(config)
    pictures = net(torch.rand(4, config.length))
    assert pictures.shape == (4, 3, net.generator.side, net.generator.side)
    assert Discriminator(config.discriminator_widths)(pictures).shape == (4, 1)


def slowly_drawn(generator: CompactGenerator, styles: Tensor) -> Tensor:
    """Draw one picture from styles (layers, style), channel by channel and pixel by pixel where it is fast."""
    x = generator.start[0]
    for place, layer in enumerate(generator.layers):
        if place and place % 2 == 0:
            side = 2 * x.shape[1]
            cells = [x[:, row // 2, column // 2] for row in range(side) for column in range(side)]
            x = torch.stack(cells, 1).reshape(-1, side, side)
        numbers = layer.modulation.weight @ styles[place] + layer.modulation.bias  # type: ignore[union-attr, operator]
        outputs = len(numbers) // 2
        channels = []
        for channel in range(outputs):
            kernel = layer.conv.weight[channel : channel + 1]  # type: ignore[union-attr, index]
            summed = functional.conv2d(x[None], kernel, padding=1)[0, 0]
            summed = summed * (1 + numbers[channel]) + numbers[outputs + channel]
            channels.append(torch.where(summed > 0, summed, 0.2 * summed))
        x = torch.stack(channels)
    squares = functional.conv2d(x[None], generator.to_rgb[0].weight, generator.to_rgb[0].bias, padding=1)[0]  # type: ignore[arg-type]
    block, side = round((len(squares) // 3) ** 0.5), x.shape[-1]
    picture = torch.empty(3, side * block, side * block)
    for colour in range(3):
        for row in range(block):
            for column in range(block):
                picture[colour, row::block, column::block] = squares[colour * block**2 + row * block + column]
    return picture


def test_compact_generator_is_the_plain_formula() -> None:
    """Each sample of a batch is drawn by its own styles."""
    torch.manual_seed(2)
    generator = CompactGenerator(TINY)
    styles = torch.randn(3, generator.styles, TINY.style)
    wanted = torch.stack([slowly_drawn(generator, one) for one in styles])
    torch.testing.assert_close(generator.draw(styles), wanted, rtol=1e-4, atol=1e-5)


def test_each_style_has_its_own_network() -> None:
    """A change of one encoder changes one style, and every encoder reads the whole vector."""
    torch.manual_seed(3)
    net = Imitator(TINY)
    rows = torch.rand(1, TINY.length)
    before = [encoder(2 * rows - 1) for encoder in net.encoders]
    received: list[Tensor] = []
    net.generator.draw = received.append  # type: ignore[method-assign, assignment]
    net(rows)
    torch.testing.assert_close(received[0], torch.stack(before, dim=1))
    for encoder in net.encoders:
        probe = rows.clone().requires_grad_()
        (slope,) = torch.autograd.grad(encoder(probe).square().sum(), probe)
        assert (slope != 0).all()


@pytest.mark.parametrize("config", [TINY, TINY_PAPER], ids=["compact", "paper"])
def test_pictures_can_be_differentiated_by_vectors(config: CompactImitatorConfig | ImitatorConfig) -> None:
    """The slope along a direction is that of finite differences, also between strict vectors."""
    torch.manual_seed(4)
    net = Imitator(config)
    rows = torch.full((1, config.length), 0.5).requires_grad_()
    direction, probe = torch.randn(1, config.length), torch.randn_like(net(rows))
    (slope,) = torch.autograd.grad((net(rows) * probe).sum(), rows)
    with torch.no_grad():
        ahead, behind = (((net(rows + step * direction)) * probe).sum() for step in (1e-2, -1e-2))
    wanted = (ahead - behind) / 2e-2
    torch.testing.assert_close((slope * direction).sum(), wanted, rtol=0.05, atol=0.05 * float(wanted.abs()) + 1e-2)


def test_the_file_is_small_and_complete(tmp_path: Path) -> None:
    """It draws the same, to the precision of float16."""
    torch.manual_seed(5)
    net = Imitator(CompactImitatorConfig())
    rows = torch.rand(2, LENGTH)
    with torch.no_grad():
        wanted = net(rows)
        save_network(net, tmp_path / "imitator.safetensors", kind=NAME)
        back = load_network(tmp_path / "imitator.safetensors", NAME, Imitator, CompactImitatorConfig, precision="fp32")
        found = back(rows)
    assert (tmp_path / "imitator.safetensors").stat().st_size <= MOST_BYTES
    torch.testing.assert_close(found, wanted, rtol=0, atol=0.02 * float(wanted.abs().max()))
