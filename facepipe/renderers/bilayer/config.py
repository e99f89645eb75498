"""Sizes of the bi-layer networks."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal

SLOPE = 0.2
"""Negative slope of every leaky ReLU."""
EPSILON = 1e-7
"""Epsilon of every batch norm and spectral norm. That of the published networks, not torch's default."""
KEYPOINTS = 68
EMBEDDING_SIDE_AT_RATIO_1 = 32
"""Side to which the projector resizes embeddings, where its generator is as wide as the embedder."""

Size = Literal["small", "medium", "large"]


@dataclass(frozen=True)
class BilayerConfig:
    """Sizes of the six networks; the defaults are the published ones (Zakharov et al., ECCV 2020, medium).

    A width is that at full resolution. It doubles at each halving of the resolution, up to the `widest`. Raises
    ValueError for sizes that do not fit together.
    """

    SIZES: ClassVar[dict[Size, tuple[int, int]]] = {"small": (16, 128), "medium": (32, 256), "large": (64, 512)}
    """Width of the inference generator at full resolution, and its greatest width, by size."""

    side_pixels: int = 256
    embedder_width: int = 64
    embedder_widest: int = 512
    embedding_side: int = 8
    texture_width: int = 64
    texture_widest: int = 512
    texture_input_side: int = 4
    inference_width: int = 32
    inference_widest: int = 256
    inference_input_side: int = 4
    pose_width: int = 256
    """Width of the hidden layers of the keypoint embedder."""
    pose_layers: int = 4
    harmonics: int = 0
    """Frequencies of the harmonic encoding of keypoints; 0 for the plain coordinates."""
    enhancer_width: int = 64
    enhancer_widest: int = 128
    enhancer_side: int = 128
    """Side of the feature maps in the middle of the enhancer."""
    enhancer_blocks: int = 8
    enhancer_steps: int = 4
    has_enhancer: bool = True
    discriminator_width: int = 64
    discriminator_widest: int = 512
    discriminator_side: int = 8
    discriminator_blocks: int = 6
    spectral_norm: bool = False
    """Whether convolutions and linear layers have spectral norm, as in training; folded into the weights for use."""

    def __post_init__(self) -> None:
        if (self.embedder_width, self.embedder_widest) != (self.texture_width, self.texture_widest):
            raise ValueError(
                f"the texture generator has widths {self.texture_width} to {self.texture_widest}, expected those of "
                f"the embedder, {self.embedder_width} to {self.embedder_widest}: its embeddings control it"
            )
        if self.inference_width * self.embedder_widest != self.embedder_width * self.inference_widest:
            raise ValueError(
                f"the inference generator has widths {self.inference_width} to {self.inference_widest}, expected both "
                f"to be the same multiple of the embedder's, {self.embedder_width} to {self.embedder_widest}"
            )
        for fault in self._faults():
            raise ValueError(fault)

    def _faults(self) -> Iterator[str]:
        """Yield what else does not fit together."""
        for name, side in {
            "embedding_side": self.embedding_side,
            "texture_input_side": self.texture_input_side,
            "inference_input_side": self.inference_input_side,
            **({"enhancer_side": self.enhancer_side} if self.has_enhancer else {}),
            "discriminator_side": self.discriminator_side,
        }.items():
            if side < 1 or side << stages_between(side, self.side_pixels) != self.side_pixels:
                yield f"side_pixels is {self.side_pixels}, expected {name} ({side}) times a power of two"
        if self.texture_stages != self.inference_stages:
            yield (
                f"the texture generator has {self.texture_stages} stages and the inference generator "
                f"{self.inference_stages}, expected the same number: one embedding controls one stage of both"
            )
        if self.texture_width << self.texture_stages < self.texture_widest:
            most = self.texture_width << self.texture_stages
            yield f"texture_widest is {self.texture_widest}, expected at most {most}"
        side = int(EMBEDDING_SIDE_AT_RATIO_1 * self.ratio)
        if side < 1 or (side * side / self.ratio).denominator != 1 or (self.embedder_width * self.ratio) % 1:
            yield f"the inference generator is {self.ratio} times as wide as the embedder: expected 1, 1/2 or 1/4"

    @classmethod
    def of(cls, size: Size) -> BilayerConfig:
        """Return the config of a published size. They differ in the inference generator only."""
        width, widest = cls.SIZES[size]
        return dataclasses.replace(cls(), inference_width=width, inference_widest=widest)

    @property
    def ratio(self) -> Fraction:
        """Width of the inference generator, divided by that of the embedder, at every stage."""
        return Fraction(self.inference_width, self.embedder_width)

    @property
    def texture_stages(self) -> int:
        """Doublings of the texture generator, and number of embeddings."""
        return stages_between(self.texture_input_side, self.side_pixels)

    @property
    def inference_stages(self) -> int:
        """Doublings of the inference generator."""
        return stages_between(self.inference_input_side, self.side_pixels)

    @property
    def pose_inputs(self) -> int:
        """Numbers that the first layer of the keypoint embedder takes."""
        return 2 * KEYPOINTS * (2 * self.harmonics or 1)


def stages_between(small: int, large: int) -> int:
    """Return the number of doublings from a side to a larger one."""
    return max(large // max(small, 1), 1).bit_length() - 1


def widths(width: int, widest: int, stages: int) -> list[int]:
    """Return the channels after 0 to `stages` halvings of the resolution."""
    return [min(width << stage, widest) for stage in range(stages + 1)]
