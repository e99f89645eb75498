"""Tiny networks in files, as users add them, and a portrait with motion for them."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from facepipe import weights
from facepipe.checkpoint import header_of
from facepipe.renderers.bilayer.published import KIND, Bilayer
from facepipe.rendering.source import Source
from facepipe.spaces.keypoints68.coefficients import KeypointCoefficients
from facepipe.spaces.keypoints68.landmarks import followed
from facepipe.weights.saving import save_tensors
from tests.face.faces import astronaut_portrait, face_model
from tests.renderers.bilayer.networks import SMALL, random_net

OFFICIAL = "bilayer-official"


@lru_cache(maxsize=1)
def small_net() -> Bilayer:
    """Return networks that react to keypoints visibly."""
    net = random_net()
    for parameter in net.keypoints_embedder.parameters():
        parameter.mul_(4)
    return net


def save_small(path: Path) -> Path:
    """Write the networks in the form of `facepipe weights add`."""
    tensors = {name: tensor.contiguous() for name, tensor in small_net().state_dict().items()}
    save_tensors(tensors, path, header_of(KIND, SMALL))
    return path


def add_bilayer(folder: Path) -> None:
    """Register the networks under the name of the published ones."""
    path = save_small(folder / "networks.safetensors")
    weights.add(path, name=OFFICIAL, licence="", source="invented", space="keypoints68")


@lru_cache(maxsize=4)
def portrait(size: int = 128) -> Source:
    """Return the astronaut with landmarks and a matte: an ellipse with soft edges around head and body."""
    source, coefficients = astronaut_portrait(size)
    row, column = np.mgrid[:size, :size] / size
    distance = ((column - 0.5) / 0.45) ** 2 + ((row - 0.8) / 0.8) ** 2
    matte = np.clip((1.1 - distance) * 8, 0, 1).astype(np.float32)
    return replace(source, coefficients=followed(coefficients, coefficients, face_model()), matte=matte)


def motion(count: int) -> KeypointCoefficients:
    """Return motion of the portrait: a nod, and a turn."""
    own = portrait().coefficients.repeated(count)
    angles = own.angles + np.linspace(0, 1, count)[:, None] * np.array([0.2, -0.3, 0.1])
    return followed(own.with_motion(own.expression, angles, own.translation), portrait().coefficients, face_model())
