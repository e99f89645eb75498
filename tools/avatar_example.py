"""An avatar with an animation, exported as glTF, for the tools that open it in other programs.

    python -m tools.avatar_example OUT

writes `avatar.glb`, and `posed.npz` with the vertices (N, 3), in metres, of each node in each of FRAMES as "node/frame".
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from facepipe.avatar.avatar import build
from facepipe.avatar.compiling import open_head
from facepipe.avatar.mesh import Floats, Part
from facepipe.avatar.units import UNITS
from facepipe.avatar.vector import AvatarVector
from facepipe.export.avatar_model import BODY_PARTS, avatar_model
from facepipe.export.gltf import to_glb
from facepipe.export.take import Take

LENGTH, FPS = 41, Fraction(20)
FRAMES = (0, 20, 39)
"""Frames in which programs are compared; not the last, at which a loop begins again."""
KEYS: Mapping[str, tuple[float, float, float]] = {
    "jawOpen": (0, 1, 0.2),
    "mouthSmileLeft": (0, 0, 1),
    "mouthSmileRight": (0, 0, 1),
    "eyeBlinkLeft": (0, 0, 1),
    "eyeWideRight": (0, 1, 0),
    "eyeLookOutLeft": (0, 0.8, 0),
    "eyeLookInRight": (0, 0.8, 0),
    "tongueOut": (0, 0.5, 0),
}
"""Weights at the beginning, in the middle and at the end of the take; linear between them."""
YAW_DEGREES = (0, 25, -20)


@dataclass(frozen=True, eq=False)
class Example:
    """An avatar, its take, and its file."""

    parts: Sequence[Part]
    neck: Floats
    """(3,), decimetres."""
    take: Take
    glb: bytes

    def posed(self, frame: int) -> list[Part]:
        """Return the parts in a frame of the take: the definition of morph targets, and the head turned as a whole."""
        weights = dict(zip(UNITS, self.take.weights[frame], strict=True))
        rotation = self.take.rotations[frame]
        posed = []
        for part in self.parts:
            vertices = part.vertices.astype(np.float64)
            for unit, morph in part.morphs.items():
                vertices[morph.vertices] += weights[unit] * morph.offsets
            if part.name not in BODY_PARTS:
                vertices = (vertices - self.neck) @ rotation.T + self.neck
            posed.append(replace(part, vertices=vertices.astype(np.float32)))
        return posed


def example(vector: AvatarVector | None = None) -> Example:
    """Return the example of a vector; of the neutral one without."""
    avatar = build(vector or AvatarVector(), open_head())
    ends, places = np.linspace(0, 1, 3), np.linspace(0, 1, LENGTH)
    weights = np.zeros((LENGTH, len(UNITS)))
    for unit, keys in KEYS.items():
        weights[:, UNITS.index(unit)] = np.interp(places, ends, keys)
    yaw = np.radians(np.interp(places, ends, YAW_DEGREES))
    cos, sin, zero, one = np.cos(yaw), np.sin(yaw), np.zeros(LENGTH), np.ones(LENGTH)
    rotations = np.stack([cos, zero, sin, zero, one, zero, -sin, zero, cos], axis=1).reshape(-1, 3, 3)
    take = Take(FPS, weights, rotations)
    glb = to_glb(avatar_model(avatar.parts, avatar.head.points), take)
    return Example(avatar.parts, avatar.head.point("neck"), take, glb)


def main() -> None:
    """Write the file, and what other programs should make of it."""
    out, made = Path(sys.argv[1]), example()
    out.mkdir(parents=True, exist_ok=True)
    (out / "avatar.glb").write_bytes(made.glb)
    names = [mesh.name for mesh in avatar_model(made.parts, {"neck": made.neck}).meshes]
    posed = {
        f"{name}/{frame}": 0.1 * part.vertices
        for frame in FRAMES
        for name, part in zip(names, made.posed(frame), strict=True)
    }
    np.savez(out / "posed.npz", **posed)


if __name__ == "__main__":
    main()
