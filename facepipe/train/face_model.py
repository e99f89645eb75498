"""Construction of the linear face model from labelled faces.

    facepipe train face-model --data DATA --labels LABELS --out FILE

Identity directions come from neutral faces, expression directions from each clip's delta from its own neutral face.
Every face is also used mirrored, so that the mean is symmetric.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from facepipe.dataset.split import Item, split_items
from facepipe.face import topology as at
from facepipe.face.measures import MEASURES, measure_rows
from facepipe.face.mirror import mirror_permutation
from facepipe.face.model import EXPRESSION_COUNT, IDENTITY_COUNT, SPACE_IN_FILE
from facepipe.face.pose import similarity_onto
from facepipe.train.command import parser_of
from facepipe.weights.saving import save_tensors

Floats = NDArray[np.floating]
FRAMES_PER_CLIP = 80
# Lids move little and matter much: without weight the prior would keep them half open in a blink.
LID_WEIGHT, IRIS_WEIGHT, LIP_WEIGHT = 8.0, 4.0, 3.0
REST_SHARE = 0.3
# Depth behind the ears of the axis around which the face is unrolled, in outer-eye distances.
UNROLL_DEPTH = 0.25
# Noise, relative to the prior, in the estimate of the expression that is removed from a portrait.
CLEANING_NOISE = 0.08
# Ridge for the measures that a control should not change.
HOLD_RIDGE = 0.02
# Controls that belong together do not constrain each other.
FAMILIES = (
    {"jaw_open", "mouth_open", "lower_lip_drop", "lip_press", "upper_lip_raise", "cheek_raise", "jaw_forward", "frown"},
    {
        "smile",
        "stretch",
        "frown",
        "pucker",
        "smile_left",
        "smile_right",
        "cheek_raise",
        "nose_wrinkle",
        "upper_lip_raise",
    },
    {"mouth_left", "jaw_left", "smile_left", "smile_right"},
    {"brow_raise", "brow_raise_left", "brow_raise_right", "brow_raise_inner", "brow_frown"},
    {"nose_wrinkle", "brow_frown", "cheek_raise", "squint"},
    {"lip_press", "pucker", "lower_lip_drop", "upper_lip_raise"},
)


@dataclass(frozen=True)
class Shapes:
    """Canonical shapes (N, 478, 3) of the frames of clips and of portraits, with the item of each."""

    clips: Floats
    clip_item: NDArray[np.int64]
    portraits: Floats
    mean: Floats
    mirror: NDArray[np.int64]
    """(478,), index of the mirrored counterpart of each point."""


def read_points(items: list[Item], labels: Path) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Return reference points of clip frames, the clip number of each frame, and the points of portraits."""
    frames, numbers, portraits = [], [], []
    for number, item in enumerate(items):
        folder = "clips" if item.kind == "clip" else "portraits"
        with np.load(labels / folder / f"{item.path.stem}.npz") as label:
            points = label["points"][label["valid"]].astype(np.float64)
        if item.kind == "clip":
            points = points[np.unique(np.linspace(0, len(points) - 1, FRAMES_PER_CLIP).astype(int))]
            frames.append(points)
            numbers += [number] * len(points)
        elif item.kind == "portrait":
            portraits.append(points)
    return np.concatenate(frames), np.array(numbers), np.concatenate(portraits)


def pose_weights() -> Floats:
    """Return 1 for the points that carry the pose, 0 for the others."""
    weights = np.zeros(at.POINT_COUNT)
    weights[list(at.STABLE)] = 1
    return weights


def fit_weights() -> Floats:
    """Return the weight of each point in a fit: more for eyes, irises and lips."""
    weights = np.ones(at.POINT_COUNT)
    weights[[*at.LIP_INNER, *at.LIP_OUTER]] = LIP_WEIGHT
    weights[[*at.RIGHT_EYE, *at.LEFT_EYE]] = LID_WEIGHT
    weights[[*at.RIGHT_IRIS, *at.LEFT_IRIS]] = IRIS_WEIGHT
    return weights


def canonical_shapes(items: list[Item], labels: Path) -> Shapes:
    """Align all faces and their mirror images to their common mean (generalised Procrustes)."""
    clips, numbers, portraits = read_points(items, labels)
    mirror = mirror_permutation(clips)
    everything = np.concatenate([clips, portraits])
    everything = np.concatenate([everything, (everything * (-1, 1, 1))[:, mirror]])
    mean = everything[0] - everything[0].mean(0)
    for _ in range(6):
        pose = similarity_onto(mean[None], everything, pose_weights())
        shapes = pose.undo(everything)
        mean = upright(shapes.mean(0), pose.rotation)
    shapes = similarity_onto(mean[None], everything, pose_weights()).undo(everything)
    first, second = shapes[: len(shapes) // 2], shapes[len(shapes) // 2 :]
    count = len(clips)
    return Shapes(
        clips=np.concatenate([first[:count], second[:count]]),
        clip_item=np.concatenate([numbers, numbers + numbers.max() + 1]),
        portraits=np.concatenate([first[count:], second[count:]]),
        mean=mean,
        mirror=mirror,
    )


def upright(mean: Floats, rotations: Floats) -> Floats:
    """Normalise a mean face: median pose frontal, origin at the mean of the pose points, outer eyes 1 apart."""
    left, _, right = np.linalg.svd(np.median(rotations, axis=0))
    typical = left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right
    mean = mean @ typical.T
    mean = mean - mean[list(at.STABLE)].mean(0)
    return mean / np.linalg.norm(mean[at.LEFT_EYE_OUTER] - mean[at.RIGHT_EYE_OUTER])


def opening(shapes: Floats, upper: tuple[int, ...], lower: tuple[int, ...]) -> Floats:
    """Return the mean gap (N,) between paired points."""
    return np.asarray(np.linalg.norm(shapes[:, list(upper)] - shapes[:, list(lower)], axis=-1).mean(1))


def rest_shapes(shapes: Shapes) -> tuple[Floats, Floats]:
    """Return each clip's neutral face (mouth closed as far as possible, eyes open) and the deltas of frames."""
    mouth = opening(shapes.clips, at.LIP_INNER_UPPER, at.LIP_INNER_LOWER)
    eyes = opening(shapes.clips, at.RIGHT_LID_UPPER, at.RIGHT_LID_LOWER) + opening(
        shapes.clips, at.LEFT_LID_UPPER, at.LEFT_LID_LOWER
    )
    rests, deltas = [], []
    for item in np.unique(shapes.clip_item):
        rows = np.flatnonzero(shapes.clip_item == item)
        awake = rows[eyes[rows] >= np.median(eyes[rows]) * 0.85]
        quiet = awake[np.argsort(mouth[awake])][: max(4, int(REST_SHARE * len(awake)))]
        rests.append(shapes.clips[quiet].mean(0))
        deltas.append(shapes.clips[rows] - rests[-1])
    return np.stack(rests), np.concatenate(deltas)


def principal(rows: Floats, weights: Floats, count: int) -> Floats:
    """Return (count, 478, 3) principal directions of (N, 478, 3) rows around zero, one standard deviation long."""
    root = np.sqrt(weights)[:, None]
    flat = (rows * root).reshape(len(rows), -1)
    values, vectors = np.linalg.eigh(flat.T @ flat / len(flat))
    top = np.argsort(values)[::-1][:count]
    directions = vectors[:, top].T * np.sqrt(values[top])[:, None]
    return np.asarray(directions.reshape(count, at.POINT_COUNT, 3) / root)


def cleaned(portraits: Floats, mean: Floats, expression: Floats, weights: Floats) -> Floats:
    """Return portraits minus the expression that explains them best under its prior."""
    root = np.sqrt(weights)[:, None] / CLEANING_NOISE
    rows = (expression * root).reshape(len(expression), -1)
    offsets = ((portraits - mean) * root).reshape(len(portraits), -1)
    coefficients = np.linalg.solve(rows @ rows.T + np.eye(len(rows)), rows @ offsets.T).T
    return portraits - np.tensordot(coefficients, expression, 1)


def build_controls(expression: Floats, deltas: Floats, smiles: Floats) -> tuple[Floats, dict[str, tuple[float, float]]]:
    """Return (K, 64) control directions and the range of each.

    The direction of a control is the likeliest change of expression (the shortest in standard deviations) that changes
    its own measure and, as a soft constraint, keeps those of other families. Value 1 is the 99th percentile of clip
    frames (`deltas`) or the 90th percentile of portraits (`smiles`: people smile for photographs), whichever is larger.
    """
    names, rows = list(MEASURES), measure_rows()
    effect = rows @ expression.reshape(len(expression), -1).T
    length = np.linalg.norm(effect, axis=1, keepdims=True)
    effect /= length
    in_clips, in_portraits = (shapes.reshape(len(shapes), -1) @ rows.T / length.T for shapes in (deltas, smiles))
    highs = np.maximum(np.percentile(in_clips, 99, axis=0), np.percentile(in_portraits, 90, axis=0))
    lows = np.minimum(np.percentile(in_clips, 1, axis=0), np.percentile(in_portraits, 10, axis=0))
    directions = []
    for index, name in enumerate(names):
        family = set().union(*(group for group in FAMILIES if name in group))
        held = [index, *(other for other, label in enumerate(names) if label != name and label not in family)]
        part = effect[held]
        wanted = np.zeros(len(held))
        wanted[0] = highs[index]
        ridge = np.diag([0.0, *[HOLD_RIDGE] * (len(held) - 1)])
        directions.append(part.T @ np.linalg.solve(part @ part.T + ridge, wanted))
    ranges = {
        name: (round(float(max(low / high, -1.5)), 2), 1.0) for name, low, high in zip(names, lows, highs, strict=True)
    }
    return np.stack(directions), ranges


def triangulate(shapes: Shapes) -> dict[str, NDArray[np.int32]]:
    """Triangulate the skin on the mean of faces with open mouths and eyes; triangulate mouth and eyes separately."""
    mouth = opening(shapes.clips, at.LIP_INNER_UPPER, at.LIP_INNER_LOWER)
    eyes = opening(shapes.clips, at.RIGHT_LID_UPPER, at.RIGHT_LID_LOWER) + opening(
        shapes.clips, at.LEFT_LID_UPPER, at.LEFT_LID_LOWER
    )
    wide = (mouth > np.percentile(mouth, 90)) & (eyes > np.median(eyes))
    open_face = unrolled(shapes.clips[wide].mean(0)[: at.SKIN_COUNT])
    triangles = Delaunay(open_face).simplices.astype(np.int32)
    middle = open_face[triangles].mean(1)
    inside = _inside(middle, open_face[list(at.FACE_OVAL)])
    for hole in (at.LIP_INNER, at.RIGHT_EYE, at.LEFT_EYE):
        inside &= ~_inside(middle, open_face[list(hole)])
    pairs = list(zip((78, *at.LIP_INNER_UPPER, 308), (78, *at.LIP_INNER_LOWER, 308), strict=True))
    mouth_triangles = [t for (a, b), (c, d) in pairwise(pairs) for t in ((a, c, d), (a, d, b)) if len(set(t)) == 3]
    fans = [
        (iris[0], a, b)
        for iris, ring in ((at.RIGHT_IRIS, at.RIGHT_EYE), (at.LEFT_IRIS, at.LEFT_EYE))
        for a, b in zip(ring, (*ring[1:], ring[0]), strict=True)
    ]
    return {
        "triangles": triangles[inside],
        "mouth_triangles": np.array(mouth_triangles, np.int32),
        "eye_triangles": np.array(fans, np.int32),
    }


def unrolled(face: Floats) -> Floats:
    """Unroll (N, 3) points around a vertical axis behind the ears, so that cheeks hide nothing."""
    axis = face[:, 2].max() + UNROLL_DEPTH
    return np.stack([np.arctan2(face[:, 0], axis - face[:, 2]), face[:, 1]], axis=1)


def _inside(points: Floats, ring: Floats) -> NDArray[np.bool_]:
    """Return which (N, 2) points are inside a closed ring (M, 2), by counting crossings."""
    ahead = np.roll(ring, -1, axis=0)
    x, y = points[:, :1], points[:, 1:]
    spans = (ring[:, 1] > y) != (ahead[:, 1] > y)
    slope = (ahead[:, 0] - ring[:, 0]) / np.where(ahead[:, 1] == ring[:, 1], 1, ahead[:, 1] - ring[:, 1])
    return np.asarray((spans & (x < ring[:, 0] + (y - ring[:, 1]) * slope)).sum(1) % 2, bool)


def build(data: Path, labels: Path, out: Path) -> None:
    """Build the model from the identities of the training split, and write it to `out`."""
    shapes = canonical_shapes(split_items(data)[0], labels)
    weights = fit_weights()
    rests, deltas = rest_shapes(shapes)
    expression = principal(deltas, weights, EXPRESSION_COUNT)
    mean = rests.mean(0)
    resting = cleaned(shapes.portraits, mean, expression, weights)
    people = np.concatenate([rests, resting])
    identity = principal(people - mean, weights, IDENTITY_COUNT)
    directions, ranges = build_controls(expression, deltas, shapes.portraits - resting)
    arrays = {
        "mean": mean,
        "identity": identity,
        "expression": expression,
        "controls": directions,
        "weights": weights,
        "pose_weights": pose_weights(),
    }
    tensors = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in arrays.items()} | triangulate(
        shapes
    )
    tensors["mirror"] = shapes.mirror.astype(np.int32)
    tensors["sixty_eight"] = np.array(at.SIXTY_EIGHT, np.int32)
    out.parent.mkdir(parents=True, exist_ok=True)
    header = {"basis": SPACE_IN_FILE, "version": "1", "controls": json.dumps(ranges)}
    save_tensors({name: torch.from_numpy(array) for name, array in tensors.items()}, out, header)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    args = parser_of("face-model", __doc__, "data", "labels", "out").parse_args(argv)
    build(args.data, args.labels, args.out)


if __name__ == "__main__":
    main()
