"""The compact bi-layer network: what a source needs once, and what every frame needs.

As in the paper (Zakharov et al., ECCV 2020), a frame is the sum of two layers: a low-frequency picture, and a texture
that is sampled at predicted positions; and a mask separates the head from the background. The texture and the adaptive
scales and shifts of the inference generator depend on the source alone. Unlike in the paper, there is a prior: the
predicted positions are a correction of the mesh's flow, the texture is a correction of the source picture, and the
prior's picture is blended in where the source shows nothing, as inside the mouth.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from facepipe.models.resampling import rescaled_positions, resized, shuffled, upsampled
from facepipe.renderers.bilayer.compact.closing import closing
from facepipe.renderers.bilayer.compact.config import KEYPOINT_CHANNELS, CompactBilayerConfig
from facepipe.rendering.conditioning import CONDITIONING_CHANNELS

SLOPE = 0.2
# Initial logit of the prior's share. Flow is learnt where the texture has a share; one of a quarter stays a quarter.
PRIOR_LOGIT = -3.0
# Added to the prior's logit where the texture cannot be right: inside a mouth that the source does not show.
HIDDEN_LOGIT = 20.0
# Mattes are clamped to this distance from 0 and 1 before they become logits.
MATTE_MARGIN = 0.02
# The same for the share of a head that the portrait cuts off.
CLOSED = 1e-4
# Width of the picture's rim in which the texture passes over to the source picture.
RIM_PIXELS = 8
# Outputs of the inference generator: flow, low-frequency picture, and four each for share and mask at twice the side.
FLOW, SHADE, FINE = 2, 3, 8


class Texture(NamedTuple):
    """Everything that depends on the source alone."""

    colour: Tensor
    """(B, 4, S, S): the texture in [-1, 1] and the source's matte in [0, 1]."""
    features: Tensor
    """(B, F, S / 4, S / 4)"""
    identity: Tensor
    """(B, I), from which scales and shifts are computed."""


class Frame(NamedTuple):
    """A rendered batch."""

    picture: Tensor
    """(B, 3, S, S) in [-1, 1]."""
    warped: Tensor
    """(B, 3, S, S), the sampled texture."""
    warp_share: Tensor
    """(B, 1, S, S), share of the sampled texture against the prior's picture."""
    shade: Tensor
    """(B, 3, S, S), the low-frequency layer."""
    mask: Tensor
    """(B, 1, S, S), logits of the head's mask."""
    shift: Tensor
    """(B, 2, S / 4, S / 4), the correction of the flow, in the unit of `Conditioning.position`."""


class AdaptiveConv(nn.Module):
    """A 3x3 convolution whose outputs are scaled and shifted by the identity (adaptive parameters of the paper).

    Both are linear in the output, so that for one source they merge into the convolution (`merged`).
    """

    def __init__(self, inputs: int, outputs: int, identity: int, *, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, (kernel - stride + 1) // 2)
        self.affine = nn.Linear(identity, 2 * outputs)
        nn.init.normal_(self.affine.weight, std=0.01)
        nn.init.zeros_(self.affine.bias)

    def merged(self, identity: Tensor) -> tuple[Tensor, Tensor]:
        """Return weight and bias of the plain convolution for one source, (1, I)."""
        scale, shift = self.affine(identity)[0].chunk(2)
        assert self.conv.bias is not None
        return self.conv.weight * (1 + scale)[:, None, None, None], self.conv.bias * (1 + scale) + shift

    def forward(self, x: Tensor, identity: Tensor) -> Tensor:
        """Take (B, C, H, W) and (B, I)."""
        scale, shift = self.affine(identity).chunk(2, 1)
        made: Tensor = self.conv(x)
        scaled: Tensor = made * (1 + scale[..., None, None])
        return torch.add(scaled, shift[..., None, None])


class Block(nn.Module):
    """Residual block of two adaptive convolutions."""

    def __init__(self, width: int, identity: int) -> None:
        super().__init__()
        self.first, self.second = (AdaptiveConv(width, width, identity) for _ in range(2))
        with torch.no_grad():
            self.second.conv.weight.mul_(0.3)

    def forward(self, x: Tensor, identity: Tensor) -> Tensor:
        """Take (B, C, H, W) and (B, I)."""
        y = self.first(functional.leaky_relu(x, SLOPE), identity)
        change: Tensor = self.second(functional.leaky_relu(y, SLOPE), identity)
        return x + change


class Plain(nn.Module):
    """Residual block of two convolutions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(width, width, 3, 1, 1) for _ in range(2))
        with torch.no_grad():
            self.convs[1].weight.mul_(0.3)  # type: ignore[operator]

    def forward(self, x: Tensor) -> Tensor:
        """Take (B, C, H, W)."""
        y = x
        for conv in self.convs:
            y = conv(functional.leaky_relu(y, SLOPE))
        return x + y


class Embedder(nn.Module):
    """Source picture, matte and maps to the identity vector, the texture and its features. Runs once per source."""

    def __init__(self, config: CompactBilayerConfig) -> None:
        super().__init__()
        widths = config.embedder_widths
        self.max_texture = config.max_texture
        self.enter = nn.Conv2d(4 * 4 + CONDITIONING_CHANNELS, widths[0], 3, 1, 1)
        self.down = nn.ModuleList(nn.Conv2d(high, low, 3, 2, 1) for high, low in pairwise(widths))
        # At the highest resolution there is none: it would cost as much as all the others.
        self.blocks = nn.ModuleList(Plain(width) for width in widths[1:])
        self.up = nn.ModuleList(nn.Conv2d(low, high, 1) for high, low in pairwise(widths))
        self.join = nn.ModuleList(Plain(high) for high in widths[1:-1])
        self.identity = nn.Sequential(
            nn.Linear(2 * widths[-1], config.identity), nn.LeakyReLU(SLOPE), nn.Linear(config.identity, config.identity)
        )
        self.features = nn.Conv2d(widths[1], config.features, 3, 1, 1)
        self.texture = nn.Conv2d(widths[0], 3 * 4, 3, 1, 1)
        with torch.no_grad():
            self.texture.weight.mul_(0.01)
            nn.init.zeros_(self.texture.bias)  # type: ignore[arg-type]

    def forward(self, source: Tensor, matte: Tensor, maps: Tensor) -> Texture:
        """Embed sources.

        Args:
            source: (B, 3, S, S) in [-1, 1].
            matte: (B, 1, S, S) in [0, 1].
            maps: (B, 9, S / 2, S / 2), the prior's maps in the source's own pose.
        """
        picture = torch.cat([source, 2 * matte - 1], 1)
        x = self.enter(torch.cat([functional.pixel_unshuffle(picture, 2), maps], 1))
        skips = []
        for down, block in zip(self.down, self.blocks, strict=True):
            skips.append(x)
            x = block(down(functional.leaky_relu(x, SLOPE)))
        pooled = torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)
        features = x
        for level in reversed(range(len(self.up))):
            x = skips[level] + upsampled(self.up[level](functional.leaky_relu(x, SLOPE)), skips[level].shape[-1])
            if level:
                x = self.join[level - 1](x)
            if level == 1:
                features = self.features(functional.leaky_relu(x, SLOPE))
        change = shuffled(self.texture(functional.leaky_relu(x, SLOPE))).tanh() * self.max_texture
        change = change * matte * rim(change.shape[-1]).to(change)
        return Texture(torch.cat([source + change, matte], 1), features, self.identity(pooled))


class Generator(nn.Module):
    """Conditioning of a frame to flow, low-frequency picture, share and mask. Runs for every frame."""

    def __init__(self, config: CompactBilayerConfig) -> None:
        super().__init__()
        widths, wide = config.widths, config.identity
        self.widths = list(widths)
        maps = CONDITIONING_CHANNELS + config.features + 1
        self.pose = nn.Sequential(
            nn.Linear(KEYPOINT_CHANNELS, config.pose),
            nn.LeakyReLU(SLOPE),
            nn.Linear(config.pose, config.pose),
            nn.LeakyReLU(SLOPE),
            nn.Linear(config.pose, sum(widths)),
        )
        self.look = AdaptiveConv(3, widths[0], wide, kernel=8, stride=4)
        self.enter = AdaptiveConv(maps, widths[0], wide)
        self.down = nn.ModuleList(AdaptiveConv(high, low, wide, kernel=4, stride=2) for high, low in pairwise(widths))
        self.blocks = nn.ModuleList(
            nn.ModuleList(Block(width, wide) for _ in range(count))
            for width, count in zip(widths, config.blocks, strict=True)
        )
        self.up = nn.ModuleList(AdaptiveConv(low, high, wide) for high, low in pairwise(widths))
        self.join = nn.ModuleList(Block(high, wide) for high in widths[:-1])
        self.final = nn.Conv2d(widths[0], FLOW + SHADE + FINE, 3, 1, 1)
        with torch.no_grad():
            self.pose[-1].weight.mul_(0.1)  # type: ignore[operator]
            self.final.weight.mul_(0.1)
            self.final.weight[: FLOW + SHADE] = 0
            nn.init.zeros_(self.final.bias)  # type: ignore[arg-type]

    def forward(self, prior: Tensor, maps: Tensor, keypoints: Tensor, identity: Tensor) -> Tensor:
        """Take (B, 3, S, S), (B, 9 + F + 1, S / 4, S / 4), (B, 136) and (B, I); return (B, 13, S / 4, S / 4).

        Inputs are float32. The convolutions may be in a lower precision, and so is the result.
        """
        dtype = self.final.weight.dtype
        poses = [bias[..., None, None].to(dtype) for bias in self.pose(keypoints).split(self.widths, 1)]
        x = self.look(prior.to(dtype), identity) + self.enter(maps.to(dtype), identity) + poses[0]
        skips = []
        for level, blocks in enumerate(self.blocks):
            if level:
                skips.append(x)
                x = self.down[level - 1](functional.leaky_relu(x, SLOPE), identity) + poses[level]
            for block in blocks:  # type: ignore[attr-defined]
                x = block(x, identity)
        for level in reversed(range(len(self.up))):
            # The convolution runs before the enlargement, at a quarter of its work.
            low = self.up[level](functional.leaky_relu(x, SLOPE), identity)
            x = self.join[level](skips[level] + functional.interpolate(low, scale_factor=2, mode="nearest"), identity)
        made: Tensor = self.final(functional.leaky_relu(x, SLOPE))
        return made


class CompactBilayerNet(nn.Module):
    """Embedder and inference generator."""

    def __init__(self, config: CompactBilayerConfig, *, generator: Generator | None = None) -> None:
        """Build the networks. With a merged `generator`, which has its source's texture, there is no embedder."""
        super().__init__()
        self.config = config
        if generator is None:
            self.embedder = Embedder(config)
        self.generator = generator or Generator(config)

    def forward(self, texture: Texture, prior: Tensor, position: Tensor, maps: Tensor, keypoints: Tensor) -> Frame:
        """Render a batch.

        Args:
            texture: The result of the embedder.
            prior: (B, 3, S, S) in [-1, 1], the prior's pictures.
            position: (B, 2, S, S), x and y in the source; -1 and 1 are the centres of the outermost pixels.
            maps: (B, 9, S / 2, S / 2); see `facepipe.rendering.conditioning.Conditioning`.
            keypoints: (B, 136), x0, y0, x1, ... in [-1, 1].
        """
        made = self.decide(texture, prior, position, maps, keypoints)
        return self.compose(texture, prior, position, maps, made)

    def decide(self, texture: Texture, prior: Tensor, position: Tensor, maps: Tensor, keypoints: Tensor) -> Tensor:
        """Run the inference generator at its own size, S; see `forward` and `Generator.forward`."""
        side = self.config.side_pixels
        coarse = functional.avg_pool2d(rescaled_positions(position, side), 4)
        matte = functional.avg_pool2d(texture.colour[:, 3:], texture.colour.shape[-1] * 4 // side)
        seen = sampled(texture.features, coarse), sampled_matte(matte.to(texture.features), coarse)
        small = torch.cat([resized(maps, side // 4), *seen], 1).contiguous(memory_format=torch.channels_last)
        made: Tensor = self.generator(resized(prior, side), small, keypoints, texture.identity)
        return made.float()

    def compose(self, texture: Texture, prior: Tensor, position: Tensor, maps: Tensor, made: Tensor) -> Frame:
        """Compose the frame from the generator's output."""
        size, config = prior.shape[-1], self.config
        shift = made[:, :FLOW].tanh() * (2 * config.max_shift)
        shade = upsampled(made[:, FLOW : FLOW + SHADE].tanh() * config.max_shade, size)
        fine = shuffled(made[:, FLOW + SHADE :])
        hidden = maps[:, 5:6] * (1 - maps[:, 2:3])
        share = upsampled((fine[:, :1] - PRIOR_LOGIT - HIDDEN_LOGIT * resized(hidden, fine.shape[-1])).sigmoid(), size)
        if not self.training:
            share = decided(share)
        corrected, colour = position + upsampled(shift, size), texture.colour.float()
        warped = sampled(colour[:, :3], corrected)
        matte = sampled_matte(colour[:, 3:], corrected).clamp(MATTE_MARGIN, 1 - MATTE_MARGIN)
        picture = torch.lerp(prior, warped, share) + shade
        mask = matte.logit() + upsampled(fine[:, 1:], size)
        if not self.training:
            left = closing(colour[:, 3:], resized(position, shift.shape[-1]) + shift)
            mask = torch.minimum(mask, upsampled(left, size).clamp(CLOSED, 1 - CLOSED).logit())
        return Frame(picture, warped, share, shade, mask, shift)


def decided(share: Tensor) -> Tensor:
    """Return shares in [0, 1] moved towards 0 and 1: sigmoid(3 x) for sigmoid(x).

    A mean of two pictures that differ by a fraction of a pixel is blurred. On 44 frames of seen people this raises the
    sharpness by a tenth, at 0.06 dB of PSNR. Training needs the gradients of the plain shares.
    """
    own, other = share**3, (1 - share) ** 3
    return own / (own + other)


@lru_cache
def rim(side: int) -> Tensor:
    """Return (side, side), 1 inside and falling to 0 at the picture's edges, where convolutions see nothing beyond."""
    # The matrix is cached; one made in inference mode could not be used in training.
    with torch.inference_mode(False):
        line = torch.arange(side, dtype=torch.float32)
        ramp = (torch.minimum(line, line.flip(0)) / RIM_PIXELS).clamp(max=1)
        return torch.minimum(ramp, ramp[:, None])


def sampled(texture: Tensor, position: Tensor, beyond: str = "reflection") -> Tensor:
    """Sample a (B, C, S, S) texture at (B, 2, H, W) positions.

    Args:
        texture: The texture.
        position: x and y; -1 and 1 are the centres of the outermost pixels.
        beyond: Values beyond the border: "reflection", as by the mesh renderer; "border" repeats the last pixels.
    """
    grid = position.float().permute(0, 2, 3, 1)
    return functional.grid_sample(texture.float(), grid, padding_mode=beyond, align_corners=True).to(texture.dtype)


def sampled_matte(matte: Tensor, position: Tensor) -> Tensor:
    """Sample a (B, 1, S, S) matte. Reflected, a head at the side would appear a second time."""
    return sampled(matte, position, "border")
