"""The compact network: it starts near its prior, and its parts equal their definitions."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from facepipe.models.resampling import rescaled_positions, resized, shuffled, upsampled
from facepipe.renderers.compact.config import CompactConfig
from facepipe.renderers.compact.net import (
    AdaIN,
    Block,
    CompactNet,
    Entry,
    Hourglass,
    bounded_change,
    without_warp,
)
from facepipe.rendering.conditioning import CONDITIONING_CHANNELS

TINY = CompactConfig(side_pixels=64, latent=16, warp_widths=(8, 8, 8), edit_widths=(8, 8, 8))


def inputs(count: int = 2, side: int = 64) -> tuple[torch.Tensor, ...]:
    """Return smooth pictures, identity positions, random maps and motion."""
    random = torch.Generator().manual_seed(3)
    source, prior = (
        functional.interpolate(torch.rand(count, 3, 8, 8, generator=random) * 2 - 1, size=side, mode="bilinear")
        for _ in range(2)
    )
    line = torch.linspace(-1, 1, side)
    position = torch.stack([line.expand(side, side), line[:, None].expand(side, side)]).expand(count, -1, -1, -1)
    maps = torch.randn(count, CONDITIONING_CHANNELS, side // 2, side // 2, generator=random)
    maps[:, 2:5], maps[:, 5] = maps[:, 2:5].sigmoid(), 0  # No mouth, where most of the bounds apply.
    return source, prior, position, maps, torch.randn(count, TINY.motion_channels, generator=random)


def test_before_training_the_picture_is_close_to_the_prior() -> None:
    """The flow is not corrected, and the generated picture equals the blend of warp and prior."""
    torch.manual_seed(0)
    source, prior, *rest = inputs()
    made = CompactNet(TINY)(source, prior, *rest)
    torch.testing.assert_close(made.warped, source, atol=1e-4, rtol=0)
    low, high = torch.minimum(prior, source), torch.maximum(prior, source)
    assert (made.picture >= low - 1e-4).all()
    assert (made.picture <= high + 1e-4).all()
    assert (made.picture - prior).abs().mean() < 0.2 * (source - prior).abs().mean()
    assert made.warp_share.mean().item() == pytest.approx(0.12, abs=0.02)
    # Neither has a share near 0, or it would get no gradient.
    assert (made.blend[:, [0, 2]] > 0.2).all()


def test_the_picture_is_the_blend_of_prior_warp_and_generated_picture() -> None:
    """Shares sum to 1; the generated picture is the mean of prior and warp by their shares, plus a change."""
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


def test_detail_is_bounded_on_visible_skin() -> None:
    """Detail is clamped there, low frequencies are not; elsewhere, and near the border, a change is kept."""
    change = torch.zeros(1, 3, 64, 64)
    change[..., 20, 12] = change[..., 20, 50] = 0.8
    change[..., 40:56, :] += 0.5
    maps = torch.zeros(1, 9, 32, 32)
    maps[:, 3, :, :16] = 1
    for visible in (1.0, 0.0):
        maps[:, 2] = visible
        found = bounded_change(change, maps, TINY)
        assert (found[..., 20, 12].max() < 0.1) == bool(visible)
        torch.testing.assert_close(found[..., 38:], change[..., 38:])
        torch.testing.assert_close(found[..., 46:50, :], change[..., 46:50, :])
    torch.testing.assert_close(found, change)


@pytest.mark.parametrize("visible", [0.0, 1.0])
def test_changes_are_bounded_in_the_mouth(visible: float) -> None:
    """Neither low frequencies nor detail exceed their bounds; small low frequencies hardly change."""
    maps = torch.zeros(1, 9, 32, 32)
    maps[:, 2], maps[:, 5] = visible, 1
    loud = bounded_change(20 * torch.randn(1, 3, 64, 64), maps, TINY)
    assert loud.abs().max() <= TINY.max_shade + TINY.max_detail
    quiet = torch.full((1, 3, 64, 64), 0.1 * TINY.max_shade)
    torch.testing.assert_close(bounded_change(quiet, maps, TINY), quiet / 1.1)


def test_the_warp_has_no_share_in_a_mouth_that_is_closed_in_the_source() -> None:
    """It would show lips. If the source shows the interior, and outside of the mouth, the shares are unchanged."""
    logits, maps = torch.zeros(1, 3, 64, 64), torch.zeros(1, 9, 32, 32)
    maps[:, 5, :, :16] = 1
    for visible in (1.0, 0.0):
        maps[:, 2] = visible
        shares = without_warp(logits, maps).softmax(1)
        torch.testing.assert_close(shares[..., 40:], torch.full((1, 3, 64, 24), 1 / 3))
        inside = shares[:, 1, :, :24]
        assert (inside < 1e-6).all() if not visible else (inside > 0.3).all()


def test_the_correction_is_bounded() -> None:
    """However large the last layer's output, it shifts no pixel by more than `max_shift`."""
    net = CompactNet(TINY)
    torch.nn.init.constant_(net.correction.bias, 50.0)  # type: ignore[arg-type]
    source, prior, position, maps, motion = inputs()
    side = source.shape[-1]
    line = torch.linspace(-1, 1, side).expand(1, 3, side, side)  # x itself as the picture
    warped = net(line.expand(2, -1, -1, -1), prior, position, maps, motion).warped
    expected = (line + 2 * TINY.max_shift).clamp(max=1)
    torch.testing.assert_close(warped, expected.expand_as(warped), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("side", "share"), [(96, 0.25), (32, 0.5)])
def test_other_sizes_give_the_same_picture(side: int, share: float) -> None:
    """Larger and smaller pictures equal those of the network's own size, up to the detail that they can show."""
    torch.manual_seed(5)
    net = CompactNet(TINY)
    # Smooth output: the same for all pixels of a cell.
    weight = torch.randn(6, 1, *net.final.weight.shape[1:]) * 0.1
    net.final.weight.data.copy_(weight.expand(-1, 4, -1, -1, -1).flatten(0, 1))
    torch.nn.init.normal_(net.correction.weight, std=0.02)
    source, prior, position, maps, motion = inputs()
    maps = resized(maps[..., ::8, ::8], 32)
    expected = net(source, prior, position, maps, motion)
    other = resized(source, side), resized(prior, side), rescaled_positions(position, side), resized(maps, side // 2)
    made = net(*other, motion)
    assert made.picture.shape == (2, 3, side, side)
    apart = (resized(made.picture, 64) - expected.picture).abs()[..., 4:-4, 4:-4]
    assert apart.mean() < share * (expected.picture - prior).abs().mean()


def test_edges_coincide_when_positions_are_rescaled() -> None:
    """The centre of the outermost pixel is half a pixel, of either size, from the edge."""
    line = torch.linspace(-1, 1, 64)
    whole = torch.stack([line.expand(64, 64), line[:, None].expand(64, 64)])[None]
    expected = torch.linspace(-1, 1, 32)
    torch.testing.assert_close(rescaled_positions(whole, 32)[0, 0, 0], expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(rescaled_positions(whole, 32)[0, 1, :, 0], expected, atol=1e-6, rtol=0)


def test_adain_is_an_instance_norm_with_scale_and_shift_of_the_latent_vector() -> None:
    """Against torch's instance norm."""
    torch.manual_seed(2)
    norm, x, latent = AdaIN(6, 4), torch.randn(3, 6, 5, 7) * 3 + 2, torch.randn(3, 4)
    torch.nn.init.normal_(norm.affine.weight)
    gamma, beta = norm.affine(latent).chunk(2, 1)
    expected = functional.instance_norm(x) * (1 + gamma[..., None, None]) + beta[..., None, None]
    torch.testing.assert_close(norm(x, latent), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("part", ["source", "prior", "maps", "motion"])
def test_the_picture_depends_on_every_input(part: str) -> None:
    """Changing any input changes the picture."""
    torch.manual_seed(4)
    net = CompactNet(TINY)
    given = dict(zip(("source", "prior", "position", "maps", "motion"), inputs(), strict=True))
    for name, weight in net.named_parameters():
        if "affine" in name:
            torch.nn.init.normal_(weight, std=0.5)
    before = net(*given.values()).picture
    given[part] = given[part].flip(-1)
    assert (net(*given.values()).picture - before).abs().max() > 1e-4


def test_a_block_is_residual() -> None:
    """With a last convolution of zeros, a block returns its input."""
    block, x = Block(4, 3), torch.randn(1, 4, 6, 6)
    torch.nn.init.zeros_(block.convs[1].weight)  # type: ignore[arg-type]
    torch.nn.init.zeros_(block.convs[1].bias)  # type: ignore[arg-type]
    torch.testing.assert_close(block(x, torch.randn(1, 3)), x)


@pytest.mark.parametrize("shuffle", [2, 4])
def test_an_entry_is_a_convolution_of_unshuffled_pictures_and_maps(shuffle: int) -> None:
    """Against unshuffling, concatenating and convolving; gradients included."""
    torch.manual_seed(6)
    entry, maps = Entry(6, shuffle, 5, 7), torch.randn(2, 5, 12, 10)
    pictures = torch.randn(2, 6, 12 * shuffle, 10 * shuffle, requires_grad=True)
    whole = torch.cat([functional.pixel_unshuffle(pictures, shuffle), maps], 1)
    expected, found = functional.conv2d(whole, entry.weight, entry.bias, padding=1), entry(pictures, maps)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    of = (pictures, entry.weight, entry.bias)
    for mine, plain in zip(
        torch.autograd.grad(found.square().sum(), of),  # type: ignore[arg-type]
        torch.autograd.grad(expected.square().sum(), of),  # type: ignore[arg-type]
        strict=True,
    ):
        torch.testing.assert_close(mine, plain, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_shuffling_equals_torchs(memory_format: torch.memory_format) -> None:
    """For both memory formats."""
    x = torch.randn(2, 24, 6, 10).contiguous(memory_format=memory_format)
    assert torch.equal(shuffled(x), functional.pixel_shuffle(x, 2))


@pytest.mark.parametrize(("few", "many"), [(8, 64), (16, 64), (6, 9)])
def test_upsampling_is_bilinear(few: int, many: int) -> None:
    """Against torch's interpolation."""
    x = torch.randn(2, 3, few, few)
    expected = functional.interpolate(x, size=(many, many), mode="bilinear", align_corners=False)
    torch.testing.assert_close(upsampled(x, many), expected)


@pytest.mark.parametrize(("size", "side", "mode"), [(32, 48, "bilinear"), (64, 32, "area"), (48, 32, "area")])
def test_resizing_averages_or_upsamples(size: int, side: int, mode: str) -> None:
    """As by torch; in bfloat16 up to its precision."""
    x = torch.rand(2, 3, size, size)
    more = {"align_corners": False} if mode == "bilinear" else {}
    expected = functional.interpolate(x, size=(side, side), mode=mode, **more)
    torch.testing.assert_close(resized(x, side), expected)
    torch.testing.assert_close(resized(x.bfloat16(), side).float(), expected, atol=2**-7, rtol=0)


def test_matrices_of_inference_are_usable_in_training() -> None:
    """The cached matrices are usable in training, even if inference computed them first."""
    x = torch.randn(1, 1, 5, 5, requires_grad=True)
    with torch.inference_mode():
        upsampled(x, 11)
    (gradient,) = torch.autograd.grad(upsampled(x, 11).sum(), x)
    assert gradient.sum() == pytest.approx(121, rel=1e-5)


def test_one_source_is_used_for_a_batch() -> None:
    """The pictures equal those of the repeated source."""
    torch.manual_seed(7)
    net = CompactNet(TINY)
    torch.nn.init.normal_(net.final.weight, std=0.5)
    source, *rest = inputs()
    for side in (64, 96):
        given = [resized(part, part.shape[-1] * side // 64) for part in rest[:3]]
        one = resized(source[:1], side)
        made, expected = (net(each, *given, rest[3]) for each in (one, one.expand(2, -1, -1, -1)))
        torch.testing.assert_close(made.picture, expected.picture)


def test_all_parameters_of_an_hourglass_get_gradients() -> None:
    """Although some layers work in place."""
    torch.manual_seed(8)
    net = Hourglass(6, 2, (8, 8, 8), (0, 1, 1), 4)
    for name, weight in net.named_parameters():
        if "affine" in name:
            torch.nn.init.normal_(weight, std=0.5)
    pictures, maps, latent = torch.randn(2, 6, 32, 32), torch.randn(2, CONDITIONING_CHANNELS, 16, 16), torch.randn(2, 4)
    net(pictures, maps, latent).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().max() > 0 for weight in net.parameters())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Dynamo detected a call")
def test_torch_can_compile_it() -> None:
    """As one graph, for batches of other lengths and at another size, with a backend that needs no compiler."""
    torch.manual_seed(1)
    net = CompactNet(TINY).requires_grad_(False)
    torch.nn.init.normal_(net.final.weight, std=0.5)
    graph = torch.compile(net, backend="eager", fullgraph=True)
    # A graph in which the side is a symbol takes ten times as long to make, and a process draws pictures of one size.
    of_one_size = torch.compile(net, backend="eager", fullgraph=True, dynamic=False)
    for compiled, given in ((graph, inputs(2)), (graph, inputs(3)), (of_one_size, inputs(2, 128))):
        with torch.inference_mode():
            torch.testing.assert_close(compiled(*given).picture, net(*given).picture)
