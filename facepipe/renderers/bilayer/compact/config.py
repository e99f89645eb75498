"""Sizes of the compact bi-layer network. They are stored in the weight file, from which the network is built."""

from __future__ import annotations

from dataclasses import dataclass

# The 68 keypoints, x and y each.
KEYPOINT_CHANNELS = 2 * 68


@dataclass(frozen=True)
class CompactBilayerConfig:
    """Widths of embedder, texture generator and inference generator."""

    side_pixels: int = 256
    """Side of the networks' input. For other sizes, inputs are resized to it and the outputs back."""
    identity: int = 128
    """Channels of the identity vector, from which the adaptive scales and shifts are computed."""
    pose: int = 128
    """Channels of the keypoint embedder."""
    features: int = 16
    """Channels of the texture beside colour: features of the source at a quarter of its side."""
    embedder_widths: tuple[int, ...] = (16, 48, 96, 128)
    """Channels of embedder and texture generator at 1/2, 1/4, 1/8 and 1/16 of the side."""
    widths: tuple[int, ...] = (24, 64, 96)
    """Channels of the inference generator at 1/4, 1/8 and 1/16 of the side."""
    blocks: tuple[int, ...] = (0, 2, 2)
    """Residual blocks of the inference generator at each of its resolutions."""
    max_shift: float = 0.15
    """Bound of the correction of the mesh's flow, as a fraction of the side, in x and in y."""
    max_shade: float = 0.3
    """Bound of the low-frequency layer; pictures are in [-1, 1]."""
    max_texture: float = 0.3
    """Bound of the correction of the source picture that gives the texture."""
