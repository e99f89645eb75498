"""The compact bi-layer network: it starts near its prior, merges per source, and separates the head."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from facepipe.renderers.bilayer.compact.config import CompactBilayerConfig
from facepipe.renderers.bilayer.compact.merging import merge, with_tensors
from facepipe.renderers.bilayer.compact.net import AdaptiveConv, CompactBilayerNet, Frame, Texture, decided
from facepipe.rendering.conditioning import CONDITIONING_CHANNELS

SIDE = 64
TINY = CompactBilayerConfig(
    side_pixels=SIDE,
    identity=8,
    pose=8,
    features=4,
    embedder_widths=(4, 8, 8, 8),
    widths=(4, 8, 8),
    blocks=(0, 1, 1),
)


def tiny_net(*, trained: bool = False) -> CompactBilayerNet:
    """Return a tiny network; `trained` gives all of its outputs a size that shows."""
    torch.manual_seed(0)
    net = CompactBilayerNet(TINY).eval()
    if trained:
        for part in (net.generator.final, net.embedder.texture):
            torch.nn.init.normal_(part.weight, std=0.3)
        for module in net.modules():
            if isinstance(module, AdaptiveConv):
                torch.nn.init.normal_(module.affine.weight, std=0.3)
    return net.requires_grad_(False)


def pictures(seed: int, count: int = 1, side: int = SIDE) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 8, 8, generator=random) * 2 - 1
    return functional.interpolate(coarse, size=side, mode="bilinear")


def inputs(count: int = 1, side: int = SIDE) -> tuple[torch.Tensor, ...]:
    """Return prior, position, maps and keypoints: nothing moves, and all is visible skin."""
    line = torch.linspace(-1, 1, side)
    position = torch.stack([line.expand(side, side), line[:, None].expand(side, side)]).expand(count, 2, side, side)
    maps = torch.zeros(count, CONDITIONING_CHANNELS, side // 2, side // 2)
    maps[:, 2:4] = 1
    keypoints = torch.rand(count, 136, generator=torch.Generator().manual_seed(5)) * 2 - 1
    return pictures(1, count, side), position, maps, keypoints


def texture_of(net: CompactBilayerNet, count: int = 1) -> Texture:
    matte = torch.zeros(count, 1, SIDE, SIDE)
    matte[..., 16:48, 16:48] = 1
    made: Texture = net.embedder(pictures(0, count), matte, inputs(count)[2])
    return made


def test_the_untrained_network_blends_prior_and_source() -> None:
    """The texture is almost the source, the flow is not corrected, and no shade is added."""
    net = tiny_net()
    texture, given = texture_of(net), inputs()
    made: Frame = net(texture, *given)
    torch.testing.assert_close(texture.colour[:, :3], pictures(0), atol=0.05, rtol=0)
    torch.testing.assert_close(made.warped, texture.colour[:, :3], atol=1e-4, rtol=0)
    assert not made.shift.any()
    assert not made.shade.any()
    blend = made.warp_share * made.warped + (1 - made.warp_share) * given[0]
    torch.testing.assert_close(made.picture, blend)


def test_the_mask_begins_as_the_warped_matte() -> None:
    mask = tiny_net()(texture_of(tiny_net()), *inputs()).mask.sigmoid()
    assert float(mask[..., 24:40, 24:40].min()) > 0.9
    assert float(mask[..., :8].max()) < 0.1


def test_a_hidden_mouth_is_the_priors() -> None:
    """Warping would show the source's lips there."""
    net, (prior, position, maps, keypoints) = tiny_net(trained=True), inputs()
    maps = maps.clone()
    maps[:, 2, 8:24, 8:24], maps[:, 5, 8:24, 8:24] = 0, 1
    share = net(texture_of(net), prior, position, maps, keypoints).warp_share
    assert float(share[..., 20:44, 20:44].max()) < 1e-3
    assert float(share[..., :8].min()) > 1e-3


@pytest.mark.parametrize("size", [SIDE, 2 * SIDE])
def test_merged_convolutions_equal_adaptive_ones(size: int) -> None:
    """At the network's side and at another one."""
    net = tiny_net(trained=True)
    texture, given = texture_of(net), inputs(side=size)
    texture = texture._replace(colour=functional.interpolate(texture.colour, size=size, mode="bilinear"))
    merged = CompactBilayerNet(TINY, generator=with_tensors(net.generator, merge(net.generator, texture.identity)))
    plain, fast = net(texture, *given), merged.eval()(texture, *given)
    assert float(plain.picture.std()) > 0.05
    for expected, found in zip(plain, fast, strict=True):
        torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)
    kinds = {type(module).__name__ for module in merged.modules()}
    assert "AdaptiveConv" not in kinds


def test_identity_pose_and_conditioning_change_the_frame() -> None:
    net = tiny_net(trained=True)
    texture, given = texture_of(net), inputs()
    picture = net(texture, *given).picture
    for other in (
        (texture._replace(identity=texture.identity + 1), *given),
        (texture._replace(features=texture.features + 1), *given),
        (texture, *given[:3], given[3] + 0.5),
        (texture, given[0] * 0.5, *given[1:]),
    ):
        assert float((net(*other).picture - picture).abs().max()) > 1e-3


def test_frames_of_a_batch_are_independent() -> None:
    net = tiny_net(trained=True)
    texture, given = texture_of(net, 2), inputs(2)
    both = net(texture, *given).picture
    one = net(Texture(*(part[1:] for part in texture)), *(part[1:] for part in given)).picture
    torch.testing.assert_close(both[1:], one, atol=1e-5, rtol=1e-4)


def test_the_correction_of_the_flow_is_bounded() -> None:
    net = tiny_net()
    with torch.no_grad():
        net.generator.final.bias.data[:5] = 100  # type: ignore[union-attr]
    made = net(texture_of(net), *inputs())
    assert float(made.shift.max()) == pytest.approx(2 * TINY.max_shift)
    assert float(made.shade.max()) == pytest.approx(TINY.max_shade)


def test_shares_are_decided_in_use_only() -> None:
    """As a logit times three; in training they are the network's."""
    share = torch.tensor([0.0, 0.1, 0.5, 0.7, 1.0])
    torch.testing.assert_close(decided(share)[1:4], torch.sigmoid(3 * torch.logit(share[1:4])))
    assert decided(share)[[0, 4]].tolist() == [0, 1]
    net = tiny_net(trained=True)
    texture, given = texture_of(net), inputs()
    used, learned = net(texture, *given).warp_share, net.train()(texture, *given).warp_share
    torch.testing.assert_close(used, decided(learned))
    assert float((used - learned).abs().max()) > 1e-3
