"""Renderers: each draws a portrait in any pose and expression. One folder each; they never import each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from facepipe.face.coefficients import BfmCoefficients, Coefficients
from facepipe.face.descriptor import RADIUS
from facepipe.face.model import load_face_model
from facepipe.renderers.portrait import Portrait
from facepipe.weights.loaded import kept

if TYPE_CHECKING:
    from pathlib import Path

    from facepipe.renderers.compact.net import CompactNet
    from facepipe.renderers.pirender.inference import FastPirender

Picture = NDArray[np.uint8]
Drawing = Callable[[Coefficients, int, int], Iterator[Picture]]
"""Yields (S, S, 3) uint8 RGB pictures of some rows of motion, from the first up to an end that is left out."""


@dataclass(frozen=True)
class Sitter:
    """The source, as stages have it."""

    picture: Picture
    """(S, S, 3) RGB, the crop."""
    points: NDArray[np.floating]
    """(478, 3) landmarks in pixels of the picture."""
    coefficients: Coefficients
    """Its first row, in the renderer's basis."""

    def portrait(self) -> Portrait:
        """Return what renderers of the basis `facepipe` are given."""
        own = self.coefficients
        return Portrait(self.picture, self.points, own.pose(len(self.picture)), own.identity, own.expression[0])


class Opening(Protocol):
    """What opens a renderer."""

    def __call__(self, weights: Mapping[str, Path], sitter: Sitter, *, compiled: bool = False) -> Drawing:
        """Take the files by name, the network's as "network", and whether torch is to compile that network first."""


@dataclass(frozen=True)
class RendererKind:
    """What a renderer needs, told without loading it."""

    basis: str
    """Of the coefficients that it draws from."""
    weights: tuple[str, ...]
    """Registry names of what it needs beside its network."""
    network: str
    """Registry name of its network, for which another of its form can be given; empty where it has none."""
    context_frames: int
    """How many frames before and after the one that is drawn it looks at."""
    side_multiple: int
    """What the side of a picture must be divisible by, in pixels."""
    open: Opening


def _mesh(weights: Mapping[str, Path], sitter: Sitter, *, compiled: bool = False) -> Drawing:
    del compiled  # It has no network.
    # Here as in the others: to know what a renderer needs shall not take as long as to load it.
    from facepipe.renderers.mesh.renderer import MeshRenderer

    renderer = MeshRenderer(kept(load_face_model, weights["face-model"]), sitter.portrait())

    def draw(motion: Coefficients, first: int, end: int) -> Iterator[Picture]:
        rows = motion.rows(first, end)
        return renderer.frames(rows.expression, rows.pose(len(sitter.picture)))

    return draw


def _compact_net(path: Path) -> CompactNet:
    from facepipe.checkpoint import load_network
    from facepipe.device import compute_device, compute_dtype
    from facepipe.renderers.compact.config import CompactConfig
    from facepipe.renderers.compact.net import CompactNet

    # Channels side by side and, on a GPU, in half precision as the published network; of a GPU that was not measured.
    net = load_network(path, "pirender-compact", CompactNet, CompactConfig)
    return net.to(compute_device(), compute_dtype(device=compute_device()))


def _compact(weights: Mapping[str, Path], sitter: Sitter, *, compiled: bool = False) -> Drawing:
    from facepipe.device import thread_count
    from facepipe.renderers.compact.renderer import CompactRenderer
    from facepipe.renderers.mesh.renderer import MeshRenderer

    model, portrait = kept(load_face_model, weights["face-model"]), sitter.portrait()
    net = kept(_compact_net, weights["network"])
    # Here alone the two meet: the mesh is what the network draws on top of.
    prior = MeshRenderer(model, portrait)
    renderer = CompactRenderer(net, model, portrait, prior, threads=thread_count(), compiled=compiled)

    def draw(motion: Coefficients, first: int, end: int) -> Iterator[Picture]:
        rows = motion.rows(first, end)
        return renderer.frames(rows.expression, rows.pose(len(sitter.picture)))

    return draw


def _fast_pirender(path: Path) -> FastPirender:
    from facepipe.device import compute_device
    from facepipe.renderers.pirender.checkpoint import load_pirender
    from facepipe.renderers.pirender.inference import FastPirender

    return FastPirender(load_pirender(path).to(compute_device()))


def _pirender(weights: Mapping[str, Path], sitter: Sitter, *, compiled: bool = False) -> Drawing:
    from facepipe.device import thread_count
    from facepipe.renderers.pirender.renderer import PirenderRenderer

    net = kept(_fast_pirender, weights["network"], threads=thread_count())
    renderer = PirenderRenderer(net, sitter.picture, compiled=compiled)

    def draw(motion: Coefficients, first: int, end: int) -> Iterator[Picture]:
        assert isinstance(motion, BfmCoefficients)
        return renderer.frames(motion.descriptor_rows(), first, end)

    return draw


RENDERERS = {
    "compact": RendererKind("facepipe", ("face-model",), "pirender-compact", 0, 2, _compact),
    "mesh": RendererKind("facepipe", ("face-model",), "", 0, 2, _mesh),
    "pirender": RendererKind("bfm", (), "pirender-official", RADIUS, 32, _pirender),
}

__all__ = ["RENDERERS", "Drawing", "Portrait", "RendererKind", "Sitter"]
