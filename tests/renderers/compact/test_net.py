"""The compact network: it starts near its prior, and its parts agree with their definitions."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from facepipe.renderers.compact.config import HINT_CHANNELS, CompactConfig
from facepipe.renderers.compact.net import (
    AdaIN,
    Block,
    CompactNet,
    Entry,
    Hourglass,
    replaced,
    resized,
    restrained,
    shuffled,
    spread,
    unwarped,
)

TINY = CompactConfig(side_pixels=64, descriptor=16, warp_widths=(8, 8, 8), edit_widths=(8, 8, 8))


def inputs(count: int = 2, side: int = 64) -> tuple[torch.Tensor, ...]:
    """Smooth pictures, the identity as position, random hints and motion."""
    random = torch.Generator().manual_seed(3)
    source, prior = (
        functional.interpolate(torch.rand(count, 3, 8, 8, generator=random) * 2 - 1, size=side, mode="bilinear")
        for _ in range(2)
    )
    line = torch.linspace(-1, 1, side)
    position = torch.stack([line.expand(side, side), line[:, None].expand(side, side)]).expand(count, -1, -1, -1)
    hints = torch.randn(count, HINT_CHANNELS, side // 2, side // 2, generator=random)
    hints[:, 2:5], hints[:, 5] = hints[:, 2:5].sigmoid(), 0  # No mouth: most bounds are those of mouths.
    return source, prior, position, hints, torch.randn(count, TINY.motion_channels, generator=random)


def test_before_training_it_draws_nearly_its_prior() -> None:
    """The warp moves nothing beyond the mesh's flow, and what is drawn on top of it and the prior changes neither."""
    torch.manual_seed(0)
    source, prior, *rest = inputs()
    made = CompactNet(TINY)(source, prior, *rest)
    torch.testing.assert_close(made.warped, source, atol=1e-4, rtol=0)
    low, high = torch.minimum(prior, source), torch.maximum(prior, source)
    assert (made.picture >= low - 1e-4).all()
    assert (made.picture <= high + 1e-4).all()
    assert (made.picture - prior).abs().mean() < 0.2 * (source - prior).abs().mean()
    assert made.share_of_warp.mean().item() == pytest.approx(0.12, abs=0.02)
    # Neither of them is shut out, or it would learn nothing.
    assert (made.blend[:, [0, 2]] > 0.2).all()


def test_the_picture_is_the_blend_of_prior_warp_and_drawing() -> None:
    """Shares sum to one; a drawing is the mean of prior and warp by their shares, and a change of it."""
    torch.manual_seed(1)
    net = CompactNet(TINY)
    torch.nn.init.normal_(net.final.weight, std=2.0)
    given = inputs()
    made = net(*given)
    torch.testing.assert_close(made.blend.sum(1), torch.ones_like(made.blend[:, 0]))
    torch.nn.init.zeros_(net.final.weight[:12])
    plain = net(*given)
    of_prior, of_warp = plain.blend.split(1, 1)[:2]
    mean = (of_prior * given[1] + of_warp * plain.warped) / (of_prior + of_warp)
    torch.testing.assert_close(plain.picture, mean, atol=1e-5, rtol=0)
    assert (made.picture - plain.picture).abs().mean() > 0.01


def test_skin_that_the_source_shows_is_shaded_and_not_painted() -> None:
    """There detail is cut off at a bound, and shades are not; elsewhere, and near it, all of a change stays."""
    drawn = torch.zeros(1, 3, 64, 64)
    drawn[..., 20, 12] = drawn[..., 20, 50] = 0.8
    drawn[..., 40:56, :] += 0.5
    hints = torch.zeros(1, 9, 32, 32)
    hints[:, 3, :, :16] = 1
    for visible in (1.0, 0.0):
        hints[:, 2] = visible
        found = restrained(drawn, hints, TINY)
        assert (found[..., 20, 12].max() < 0.1) == bool(visible)
        torch.testing.assert_close(found[..., 38:], drawn[..., 38:])
        torch.testing.assert_close(found[..., 46:50, :], drawn[..., 46:50, :])
    torch.testing.assert_close(found, drawn)


@pytest.mark.parametrize("visible", [0.0, 1.0])
def test_the_inside_of_a_mouth_is_shaded_a_little_and_not_painted(visible: float) -> None:
    """There neither shades nor detail go beyond their bounds, and small shades stay nearly what they are."""
    hints = torch.zeros(1, 9, 32, 32)
    hints[:, 2], hints[:, 5] = visible, 1
    loud = restrained(20 * torch.randn(1, 3, 64, 64), hints, TINY)
    assert loud.abs().max() <= TINY.most_shade + TINY.most_detail
    quiet = torch.full((1, 3, 64, 64), 0.1 * TINY.most_shade)
    torch.testing.assert_close(restrained(quiet, hints, TINY), quiet / 1.1)


def test_a_mouth_that_the_source_keeps_closed_takes_nothing_from_the_warp() -> None:
    """It would be lips; where the source shows its inside, and off the mouth, the shares are the network's own."""
    logits, hints = torch.zeros(1, 3, 64, 64), torch.zeros(1, 9, 32, 32)
    hints[:, 5, :, :16] = 1
    for visible in (1.0, 0.0):
        hints[:, 2] = visible
        shares = unwarped(logits, hints).softmax(1)
        torch.testing.assert_close(shares[..., 40:], torch.full((1, 3, 64, 24), 1 / 3))
        inside = shares[:, 1, :, :24]
        assert (inside < 1e-6).all() if not visible else (inside > 0.3).all()


def test_the_correction_is_bounded() -> None:
    """However large the last layer, no pixel comes from further than `most_shift` beyond the mesh's flow."""
    net = CompactNet(TINY)
    torch.nn.init.constant_(net.correction.bias, 50.0)  # type: ignore[arg-type]
    source, prior, position, hints, motion = inputs()
    side = source.shape[-1]
    line = torch.linspace(-1, 1, side).expand(1, 3, side, side)  # x itself as the picture
    warped = net(line.expand(2, -1, -1, -1), prior, position, hints, motion).warped
    expected = (line + 2 * TINY.most_shift).clamp(max=1)
    torch.testing.assert_close(warped, expected.expand_as(warped), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("side", "share"), [(96, 0.25), (32, 0.5)])
def test_at_another_size_it_draws_the_same_picture(side: int, share: float) -> None:
    """What it says of a picture of its own size holds for larger and smaller ones, as far as they show as much."""
    torch.manual_seed(5)
    net = CompactNet(TINY)
    # Smooth, as what is seen is: neither differs from one pixel of a cell to the next.
    weight = torch.randn(6, 1, *net.final.weight.shape[1:]) * 0.1
    net.final.weight.data.copy_(weight.expand(-1, 4, -1, -1, -1).flatten(0, 1))
    torch.nn.init.normal_(net.correction.weight, std=0.02)
    source, prior, position, hints, motion = inputs()
    hints = resized(hints[..., ::8, ::8], 32)
    wanted = net(source, prior, position, hints, motion)
    other = resized(source, side), resized(prior, side), replaced(position, side), resized(hints, side // 2)
    made = net(*other, motion)
    assert made.picture.shape == (2, 3, side, side)
    apart = (resized(made.picture, 64) - wanted.picture).abs()[..., 4:-4, 4:-4]
    assert apart.mean() < share * (wanted.picture - prior).abs().mean()


def test_edges_meet_when_positions_change_size() -> None:
    """The middle of the outermost pixel lies half a pixel, of either size, from the edge."""
    line = torch.linspace(-1, 1, 64)
    whole = torch.stack([line.expand(64, 64), line[:, None].expand(64, 64)])[None]
    wanted = torch.linspace(-1, 1, 32)
    torch.testing.assert_close(replaced(whole, 32)[0, 0, 0], wanted, atol=1e-6, rtol=0)
    torch.testing.assert_close(replaced(whole, 32)[0, 1, :, 0], wanted, atol=1e-6, rtol=0)


def test_adain_is_an_instance_norm_scaled_and_shifted_by_the_descriptor() -> None:
    """Against torch's own instance norm."""
    torch.manual_seed(2)
    norm, x, vector = AdaIN(6, 4), torch.randn(3, 6, 5, 7) * 3 + 2, torch.randn(3, 4)
    torch.nn.init.normal_(norm.affine.weight)
    gamma, beta = norm.affine(vector).chunk(2, 1)
    expected = functional.instance_norm(x) * (1 + gamma[..., None, None]) + beta[..., None, None]
    torch.testing.assert_close(norm(x, vector), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("part", ["source", "prior", "hints", "motion"])
def test_everything_it_is_given_reaches_the_picture(part: str) -> None:
    """A change of any input changes what is drawn."""
    torch.manual_seed(4)
    net = CompactNet(TINY)
    given = dict(zip(("source", "prior", "position", "hints", "motion"), inputs(), strict=True))
    for name, weight in net.named_parameters():
        if "affine" in name:
            torch.nn.init.normal_(weight, std=0.5)
    before = net(*given.values()).picture
    given[part] = given[part].flip(-1)
    assert (net(*given.values()).picture - before).abs().max() > 1e-4


def test_a_block_keeps_what_it_cannot_improve() -> None:
    """With its last convolution at zero a block hands its input on."""
    block, x = Block(4, 3), torch.randn(1, 4, 6, 6)
    torch.nn.init.zeros_(block.convs[1].weight)  # type: ignore[arg-type]
    torch.nn.init.zeros_(block.convs[1].bias)  # type: ignore[arg-type]
    torch.testing.assert_close(block(x, torch.randn(1, 3)), x)


@pytest.mark.parametrize("shuffle", [2, 4])
def test_an_entry_is_a_convolution_of_shuffled_pictures_and_maps(shuffle: int) -> None:
    """Against shuffling, laying side by side and convolving; gradients included."""
    torch.manual_seed(6)
    entry, maps = Entry(6, shuffle, 5, 7), torch.randn(2, 5, 12, 10)
    pictures = torch.randn(2, 6, 12 * shuffle, 10 * shuffle, requires_grad=True)
    whole = torch.cat([functional.pixel_unshuffle(pictures, shuffle), maps], 1)
    wanted, found = functional.conv2d(whole, entry.weight, entry.bias, padding=1), entry(pictures, maps)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    of = (pictures, entry.weight, entry.bias)
    for mine, plain in zip(
        torch.autograd.grad(found.square().sum(), of),  # type: ignore[arg-type]
        torch.autograd.grad(wanted.square().sum(), of),  # type: ignore[arg-type]
        strict=True,
    ):
        torch.testing.assert_close(mine, plain, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_shuffling_is_torchs(memory_format: torch.memory_format) -> None:
    """Whatever the order in memory."""
    x = torch.randn(2, 24, 6, 10).contiguous(memory_format=memory_format)
    assert torch.equal(shuffled(x), functional.pixel_shuffle(x, 2))


@pytest.mark.parametrize(("few", "many"), [(8, 64), (16, 64), (6, 9)])
def test_spreading_is_bilinear(few: int, many: int) -> None:
    """Against torch's own interpolation."""
    x = torch.randn(2, 3, few, few)
    wanted = functional.interpolate(x, size=(many, many), mode="bilinear", align_corners=False)
    torch.testing.assert_close(spread(x, many), wanted)


@pytest.mark.parametrize(("size", "side", "mode"), [(32, 48, "bilinear"), (64, 32, "area"), (48, 32, "area")])
def test_maps_are_averaged_or_spread(size: int, side: int, mode: str) -> None:
    """As torch does it; and in half precision as near as its numbers lie."""
    x = torch.rand(2, 3, size, size)
    more = {"align_corners": False} if mode == "bilinear" else {}
    wanted = functional.interpolate(x, size=(side, side), mode=mode, **more)
    torch.testing.assert_close(resized(x, side), wanted)
    torch.testing.assert_close(resized(x.bfloat16(), side).float(), wanted, atol=2**-7, rtol=0)


def test_what_inference_has_spread_can_still_be_learned() -> None:
    """The matrices are kept, whoever asked for them first."""
    x = torch.randn(1, 1, 5, 5, requires_grad=True)
    with torch.inference_mode():
        spread(x, 11)
    (gradient,) = torch.autograd.grad(spread(x, 11).sum(), x)
    assert gradient.sum() == pytest.approx(121, rel=1e-5)


def test_one_source_serves_a_batch() -> None:
    """The same pictures as of the source repeated."""
    torch.manual_seed(7)
    net = CompactNet(TINY)
    torch.nn.init.normal_(net.final.weight, std=0.5)
    source, *rest = inputs()
    for side in (64, 96):
        given = [resized(part, part.shape[-1] * side // 64) for part in rest[:3]]
        one = resized(source[:1], side)
        made, wanted = (net(each, *given, rest[3]) for each in (one, one.expand(2, -1, -1, -1)))
        torch.testing.assert_close(made.picture, wanted.picture)


def test_an_hourglass_learns_all_of_its_parts() -> None:
    """Every parameter gets a gradient, though some layers work in place."""
    torch.manual_seed(8)
    net = Hourglass(6, 2, (8, 8, 8), (0, 1, 1), 4)
    for name, weight in net.named_parameters():
        if "affine" in name:
            torch.nn.init.normal_(weight, std=0.5)
    pictures, hints, vector = torch.randn(2, 6, 32, 32), torch.randn(2, HINT_CHANNELS, 16, 16), torch.randn(2, 4)
    net(pictures, hints, vector).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().max() > 0 for weight in net.parameters())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Dynamo detected a call")
def test_torch_can_compile_it() -> None:
    """All of it as one graph, for batches of other lengths and at another size; the backend needs no compiler."""
    torch.manual_seed(1)
    net = CompactNet(TINY).requires_grad_(False)
    torch.nn.init.normal_(net.final.weight, std=0.5)
    graph = torch.compile(net, backend="eager", fullgraph=True)
    # A graph in which the side is a symbol takes ten times as long to make, and a process draws pictures of one size.
    of_one_size = torch.compile(net, backend="eager", fullgraph=True, dynamic=False)
    for compiled, given in ((graph, inputs(2)), (graph, inputs(3)), (of_one_size, inputs(2, 128))):
        with torch.inference_mode():
            torch.testing.assert_close(compiled(*given).picture, net(*given).picture)
