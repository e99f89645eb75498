"""The head that an avatar shows: the network of one source, and motion of that source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from facepipe.errors import UsageError, WeightsError
from facepipe.face.cropping import SquareCrop
from facepipe.face.model import FaceModel
from facepipe.motion.editing import apply_edit, bounds_of
from facepipe.motion.sliders import Edit
from facepipe.renderers.bilayer.config import BilayerConfig
from facepipe.renderers.bilayer.framing import Framing
from facepipe.renderers.bilayer.keypoints import KeypointsEmbedder
from facepipe.renderers.bilayer.merging import MergedGenerator
from facepipe.renderers.bilayer.published import KIND, TEXTURE, Frames, load_bilayer, restored
from facepipe.rendering.source import Source
from facepipe.spaces.coefficients import Floats
from facepipe.spaces.keypoints68.coefficients import KeypointCoefficients

SWEEPS = (("yaw", "jaw_open"), ("pitch", "smile"), ("roll", "blink_left", "blink_right"), ("zoom", "pucker"))
"""Sliders that move together in the motion that calibrates and checks models."""
SWEEP_FRAMES = 6
DEGREES = {"yaw": 25.0, "pitch": 15.0, "roll": 20.0}


@dataclass(frozen=True)
class Head:
    """One head."""

    config: BilayerConfig
    embedder: KeypointsEmbedder
    generator: MergedGenerator
    texture: Tensor
    """(1, 3, S, S), not clamped."""
    frames: Frames
    """Renders the head by torch."""
    keypoints: Tensor
    """(1, 68, 2), the source's own, in the box."""
    motion: Tensor
    """(T, 68, 2), keypoints of this head in motion, in the box."""
    box: SquareCrop
    """The box, in pixels of the crop."""

    def inputs(self, keypoints: Tensor) -> Tensor:
        """Return the (T, inputs) numbers that the exported network takes for (T, 68, 2) keypoints."""
        return self.embedder.encoded(keypoints)


def kind_of_network(path: Path) -> str:
    """Return the kind of network in a file; "" if it states none. Raises WeightsError for an unreadable file."""
    try:
        with safe_open(path, framework="numpy") as file:
            return str((file.metadata() or {}).get("kind", ""))
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is not a readable safetensors file ({error}). Install it again.") from error


def check_network(path: Path, name: str) -> None:
    """Raise UsageError for a network whose heads cannot be exported."""
    kind = kind_of_network(path)
    if kind == "bilayer-compact":
        raise UsageError(
            f"--weights is {name}, whose network corrects the flow of the face mesh: every frame needs the mesh, which "
            "is not a part of the network, so its heads cannot be exported. Use --weights bilayer-official; "
            "`facepipe weights add bilayer DIR` installs it"
        )
    if kind not in LOADERS:
        raise UsageError(f"--weights is {name}, a network of kind {kind!r}, expected {' or '.join(LOADERS)}")


def load_head(network: Path, source: Source, prepared: Mapping[str, Tensor], model: FaceModel) -> Head:
    """Load the network of a source; `prepared` are the tensors of the stage `prepare`."""
    net = load_bilayer(network)
    framing = Framing(source, net.config.side_pixels)
    return Head(
        config=net.config,
        embedder=net.keypoints_embedder,
        generator=restored(net.config, prepared),
        texture=prepared[TEXTURE],
        frames=Frames(net, prepared),
        keypoints=framing.keypoints(),
        motion=framing.keypoints(np.concatenate([*_swept(source, model)])),
        box=framing.view.square,
    )


LOADERS = {KIND: load_head}
"""By kind of network: the function that loads a head of it. The network of a head has the published form."""


def _swept(source: Source, model: FaceModel) -> Iterator[Floats]:
    """Yield (T, 68, 2) landmarks of the crop while sliders move from one end to the other."""
    bounds = bounds_of(model)
    for names in SWEEPS:
        ends = {name: (-DEGREES[name], DEGREES[name]) if name in DEGREES else _half(bounds[name]) for name in names}
        ends |= {"zoom": (0.9, 1.1)} if "zoom" in names else {}
        moved = apply_edit(source.coefficients, Edit(sweeps=ends, frames=SWEEP_FRAMES, fps="25"), model)
        yield cast("KeypointCoefficients", moved).keypoints


def _half(ends: tuple[float, float]) -> tuple[float, float]:
    # Bounds are twice the range of real faces.
    return ends[0] / 2, ends[1] / 2


def as_numpy(tensor: Tensor) -> np.ndarray:
    """Return a tensor as float32 array."""
    return np.asarray(tensor.detach().to(torch.float32).cpu().numpy())
