"""The published system: what is computed once per source, and what once per frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from facepipe.checkpoint import load_network
from facepipe.renderers.bilayer.config import BilayerConfig
from facepipe.renderers.bilayer.embedder import IdentityEmbedder, masked
from facepipe.renderers.bilayer.enhancer import TextureEnhancer
from facepipe.renderers.bilayer.fused import fastest
from facepipe.renderers.bilayer.inference import InferenceGenerator
from facepipe.renderers.bilayer.keypoints import KeypointsEmbedder
from facepipe.renderers.bilayer.merging import Maps, MergedGenerator, merged
from facepipe.renderers.bilayer.stickman import stickmen
from facepipe.renderers.bilayer.texture import TextureGenerator

if TYPE_CHECKING:
    from pathlib import Path

KIND = "bilayer"
TEXTURE = "texture"
"""Name of the texture among prepared tensors; the others are those of a `MergedGenerator`, after `GENERATOR`."""
GENERATOR = "generator."


class Bilayer(nn.Module):
    """The networks of inference, under their published names. The enhancer is None if the config has none."""

    def __init__(self, config: BilayerConfig) -> None:
        super().__init__()
        self.config = config
        self.identity_embedder = IdentityEmbedder(config)
        self.texture_generator = TextureGenerator(config)
        self.keypoints_embedder = KeypointsEmbedder(config)
        self.inference_generator = InferenceGenerator(config)
        self.texture_enhancer = TextureEnhancer(config) if config.has_enhancer else None

    def embed(self, pictures: Tensor, mattes: Tensor, keypoints: Tensor) -> list[Tensor]:
        """Return the embeddings of one person, each (1, C, 8, 8). The arguments are those of `initialise`."""
        drawings = stickmen(keypoints, self.config.side_pixels)
        embeddings: list[Tensor] = self.identity_embedder(masked(pictures, mattes)[None], drawings[None])
        return embeddings

    def texture(
        self, embeddings: Sequence[Tensor], pictures: Tensor, keypoints: Tensor, *, enhance: bool = True
    ) -> Tensor:
        """Return the (1, 3, S, S) texture, not clamped if it is enhanced."""
        texture: Tensor = self.texture_generator(embeddings)
        if not enhance:
            return texture
        if self.texture_enhancer is None:
            raise ValueError("these weights have no texture enhancer, expected enhance=False")
        layers = self.inference_generator(self.keypoints_embedder(keypoints), embeddings)
        enhanced: Tensor = self.texture_enhancer(texture, pictures, layers)
        return enhanced

    @torch.inference_mode()
    def initialise(self, pictures: Tensor, mattes: Tensor, keypoints: Tensor, *, enhance: bool) -> dict[str, Tensor]:
        """Compute what all frames of one source share. The network must be in eval mode, without spectral norm.

        Embeddings are averaged over several pictures, and so are the updates of the texture.

        Args:
            pictures: (N, 3, S, S) float32 in [-1, 1], N pictures of one person.
            mattes: (N, 1, S, S) in [0, 1], 1 inside the head.
            keypoints: (N, 68, 2) in [-1, 1], from the left and upper border of the picture to the opposite ones.
            enhance: Whether the texture enhancer improves the texture. Raises ValueError if the weights have none.

        Returns:
            Float32 tensors by name for `Frames`: the texture and the merged generator.
        """
        embeddings = self.embed(pictures, mattes, keypoints)
        texture = self.texture(embeddings, pictures, keypoints, enhance=enhance)
        groups = self.inference_generator.prj_inf(embeddings)
        generator = merged(self.inference_generator, groups, self.config)
        tensors = {TEXTURE: texture, **{GENERATOR + name: value for name, value in generator.state_dict().items()}}
        return {name: tensor.contiguous().clone() for name, tensor in tensors.items()}


class Frame(NamedTuple):
    """Rendered frames."""

    rgb: Tensor
    """(B, 3, S, S) float32 in [-1, 1], of the head only: the background is not meaningful."""
    mask: Tensor
    """(B, 1, S, S) in [0, 1], 1 inside the head. With a background in [-1, 1]: rgb * mask + background * (1 - mask)."""


def restored(config: BilayerConfig, prepared: Mapping[str, Tensor]) -> MergedGenerator:
    """Return the merged generator among the tensors that `Bilayer.initialise` returned."""
    generator = MergedGenerator(config)
    state = {name.removeprefix(GENERATOR): value for name, value in prepared.items() if name.startswith(GENERATOR)}
    generator.load_state_dict(state)
    return generator.eval().requires_grad_(False)


class Frames:
    """Renders frames of one source."""

    def __init__(self, net: Bilayer, prepared: Mapping[str, Tensor], dtype: torch.dtype = torch.float32) -> None:
        """Take the tensors that `Bilayer.initialise` returned. On a CPU, the generator computes in `dtype`."""
        self.keypoints_embedder = net.keypoints_embedder
        device = next(net.parameters()).device
        self.generator = fastest(restored(net.config, prepared), device, dtype)
        self.texture = prepared[TEXTURE].to(device)

    @torch.inference_mode()
    def render(self, keypoints: Tensor) -> Frame:
        """Render frames from (B, 68, 2) keypoints in [-1, 1]. Each is computed by itself, so batches do not matter."""
        made = [self._render_one(one) for one in torch.split(keypoints, 1)]
        return Frame(*(torch.cat(values) for values in zip(*made, strict=True)))

    @torch.inference_mode()
    def maps(self, keypoints: Tensor) -> Maps:
        """Compute the maps of frames, as one batch, from (B, 68, 2) keypoints in [-1, 1]."""
        poses = self.keypoints_embedder(keypoints.to(self.texture))
        return Maps.of(self.generator(poses.contiguous(memory_format=torch.channels_last)))

    def _render_one(self, keypoints: Tensor) -> Frame:
        maps = self.maps(keypoints)
        return Frame(maps.compose(self.texture).clamp(-1, 1), maps.mask)


def load_bilayer(path: Path) -> Bilayer:
    """Load the networks from a file of `facepipe weights add bilayer`, in float32. Torch uses one thread from then on.

    Raises WeightsError for other files.
    """
    return load_network(path, KIND, Bilayer, BilayerConfig, precision="fp32")
