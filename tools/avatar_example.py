"""An avatar with an animation, exported as glTF, for the tools that open it in other programs.

    python -m tools.avatar_example OUT

writes `avatar.glb`, `avatar.usdz`, and `posed.npz` with the vertices (N, 3), in metres, of each node in each of FRAMES,
by "node/frame".
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from facepipe.avatar.avatar import Avatar, build
from facepipe.avatar.compiling import open_head
from facepipe.avatar.mesh import Part
from facepipe.avatar.posing import head_rotation
from facepipe.avatar.units import UNITS
from facepipe.avatar.vector import AvatarVector
from facepipe.export.avatar_model import avatar_model
from facepipe.export.gltf import to_glb
from facepipe.export.rigging import RiggedPart, rigged_parts
from facepipe.export.take import Take
from facepipe.export.usd import to_usdz

LENGTH, FPS = 41, Fraction(20)
FRAMES = (0, 20, 39)
"""Frames in which programs are compared; not the last, at which a loop begins again."""
KEYS: Mapping[str, tuple[float, float, float]] = {
    "jawOpen": (0, 1, 0.2),
    "mouthSmileLeft": (0, 0, 1),
    "mouthSmileRight": (0, 0, 1),
    "eyeBlinkLeft": (0, 0, 1),
    "eyeBlinkRight": (0, 0, 0.5),
    "eyeWideRight": (0, 1, 0),
    "eyeLookOutLeft": (0, 0.8, 0),
    "eyeLookInRight": (0, 0.8, 0),
    "tongueOut": (0, 0.5, 0),
}
"""Weights at the beginning, in the middle and at the end of the take; linear between them."""
ANGLES_DEGREES = ((0, 25, -20), (0, -10, 15), (0, 0, 10))
"""Yaw, pitch and roll of the head at the same times."""


@dataclass(frozen=True, eq=False)
class Example:
    """An avatar, its take, and its file."""

    avatar: Avatar
    parts: Sequence[RiggedPart]
    """With the morphs of the file."""
    names: Sequence[str]
    """Nodes of the parts."""
    take: Take
    glb: bytes

    def posed(self, frame: int) -> list[Part]:
        """Return the parts in a frame of the take: by the definitions of targets and of skins."""
        weights = dict(zip(UNITS, self.take.weights[frame], strict=True))
        rotation, neck = self.take.rotations[frame], self.avatar.head.point("neck")
        posed = []
        for rigged in self.parts:
            vertices = rigged.part.vertices.astype(np.float64)
            for unit, morph in rigged.part.morphs.items():
                vertices[morph.vertices] += weights[unit] * morph.offsets
            turned, share = (vertices - neck) @ rotation.T + neck, rigged.turning[:, None]
            vertices = (1 - share) * vertices + share * turned
            posed.append(replace(rigged.part, vertices=vertices.astype(np.float32)))
        return posed

    def rigged(self, frame: int) -> list[Part]:
        """Return the parts in a frame of the take as facepipe poses them."""
        places = self.avatar.pose(self.take.weights[frame].astype(np.float32), self.take.rotations[frame])
        return [replace(each.part, vertices=moved) for each, moved in zip(self.parts, places, strict=True)]


def example(vector: AvatarVector | None = None) -> Example:
    """Return the example of a vector; of the neutral one without."""
    avatar = build(vector or AvatarVector(), open_head())
    parts = rigged_parts(avatar)
    ends, places = np.linspace(0, 1, 3), np.linspace(0, 1, LENGTH)
    weights = np.zeros((LENGTH, len(UNITS)))
    for unit, keys in KEYS.items():
        weights[:, UNITS.index(unit)] = np.interp(places, ends, keys)
    angles = np.stack([np.interp(places, ends, keys) for keys in ANGLES_DEGREES], axis=1)
    take = Take(FPS, weights, np.stack([head_rotation(*each) for each in angles]))
    model = avatar_model(parts, avatar.head.points)
    return Example(avatar, parts, [mesh.name for mesh in model.meshes], take, to_glb(model, take))


def main() -> None:
    """Write the file, and what other programs should make of it."""
    out, made = Path(sys.argv[1]), example()
    out.mkdir(parents=True, exist_ok=True)
    model = avatar_model(made.parts, made.avatar.head.points)
    (out / "avatar.glb").write_bytes(made.glb)
    (out / "avatar.usdz").write_bytes(to_usdz(model, made.take))
    posed = {
        f"{name}/{frame}": 0.1 * part.vertices
        for frame in FRAMES
        for name, part in zip(made.names, made.posed(frame), strict=True)
    }
    np.savez(out / "posed.npz", allow_pickle=False, **posed)


if __name__ == "__main__":
    main()
