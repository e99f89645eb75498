"""The shape of a head from a portrait: sliders whose avatar differs from the neutral one as the person from others.

Avatars are stylised, so places are not compared: the deviation of a person's points from the mean person is compared
with the deviation of the avatar's points from those of the neutral avatar in the same style. The face model knows the
mean and the spread of people. The sliders are solved for by damped Gauss-Newton steps with a prior.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from facepipe import weights
from facepipe.avatar.closing import LID_RING, LIP_RING, Rim, rim_of
from facepipe.avatar.head import Head
from facepipe.avatar.mesh import Indices, Reals
from facepipe.avatar.regions import LIP_RINGS
from facepipe.avatar.shaping import shaper_of
from facepipe.avatar.sliders import SLIDERS
from facepipe.avatar.template import Template
from facepipe.avatar.vector import AvatarVector
from facepipe.face import topology as at
from facepipe.face.model import FaceModel, load_face_model

Doubles = NDArray[np.float64]
COUNT = 68
SENSES = np.array([1.0, -1.0, -1.0])
"""From the axes of the face model to those of the head, and back."""
JAW = (
    *((0.654, 7.5, 0.46), (0.662, 7.22, 0.43), (0.65, 7.02, 0.43), (0.599, 6.8, 0.4), (0.54, 6.627, 0.449)),
    *((0.455, 6.485, 0.624), (0.32, 6.377, 0.802), (0.155, 6.305, 0.97), (0.0, 6.288, 1.027)),
)
"""Places on the left side of the template, decimetres, from the temple to the chin; the right side mirrors them."""
BROW = ((0.545, 7.51, 0.89), (0.47, 7.552, 0.99), (0.34, 7.567, 1.095), (0.215, 7.535, 1.142), (0.101, 7.474, 1.141))
"""From the outer end to the inner one."""
NOSE = ((0.0, 7.304, 1.139), (0.0, 7.17, 1.216), (0.0, 7.057, 1.294), (0.0, 6.984, 1.312))
"""Down the ridge, from the root to the tip."""
NOSTRILS = ((0.121, 6.94, 1.203), (0.054, 6.906, 1.207), (0.0, 6.917, 1.248))
"""From the wing to the middle."""
LID_SHARES = (0.0, 0.3, 0.65, 1.0)
"""Places of an eye's points from its outer to its inner corner."""
LIP_SHARES = np.array([0.0, 0.23, 0.4, 0.5, 0.6, 0.77, 1.0])
INNER_SHARES = np.array([0.0, 0.35, 0.5, 0.65, 1.0])

KEPT = (
    *("style", "age", "gender", "african", "asian", "ear_", "neck_"),
    *("eye_opening", "brow_angle", "brow_height", "mouth_corners"),
)
"""Beginnings of the names of sliders that stay as they are given: those of the whole head, of what is not seen, and of
what an expression moves too, which leaves traces in the points at rest."""
STEP = 0.05
"""Of the differences from which slopes are computed."""
ROUNDS = 3
"""Steps; the last one keeps the slopes of the one before."""
MARGIN = 0.04
"""Distance from the ends of the sliders that is kept, where extremes look odd."""
SPREAD = 0.17
"""Standard deviation of sliders about their start."""
NOISE = 0.5
"""Standard deviation of each coordinate's deviation, in those of people."""
FLOOR = 0.25
"""Least standard deviation of a coordinate, as a fraction of the mean one of all."""
DEPTH_SHARE = 0.5
"""Weight of depth, which one picture shows badly, against height and width."""
EXAGGERATION = 2.0
"""Factor of the deviations, as in a caricature."""


class People(NamedTuple):
    """Mean and spread of the neutral points of people, (68, 3) each, normalised, in the axes of the head."""

    mean: Doubles
    spread: Doubles


def normalised(points: Reals) -> Doubles:
    """Return points (..., 68, 3) about their mean, at a root mean square distance of 1 from it."""
    places = np.asarray(points, np.float64)
    away = places - places.mean(axis=-2, keepdims=True)
    size = np.sqrt((away**2).sum(axis=-1, keepdims=True).mean(axis=-2, keepdims=True))
    return np.asarray(away / size)


def people_of(model: FaceModel) -> People:
    """Return the people of a face model."""
    rows = np.asarray(model.sixty_eight)
    mean = normalised(model.mean[rows] * SENSES)
    each = normalised((model.mean + model.identity)[:, rows] * SENSES) - mean
    return People(mean, np.sqrt((each**2).sum(axis=0)))


@lru_cache(maxsize=1)
def known_people() -> People:
    """Return the people of the installed face model. Raises WeightsError without one."""
    return people_of(load_face_model(weights.find("face-model").path))


def deviation(neutral: Reals, people: People) -> Doubles:
    """Return by how much a person's neutral points (478, 3) deviate from the mean of people: (68, 3)."""
    return np.asarray(normalised(np.asarray(neutral)[list(at.SIXTY_EIGHT)] * SENSES) - people.mean)


def neutral_points(vector: AvatarVector, head: Head) -> Doubles:
    """Return the 68 points (68, 3) of an avatar in the neutral expression, decimetres, in the order of 300-W.

    The subject's right side comes first, as in `facepipe.face.topology.SIXTY_EIGHT`.
    """
    skin = shaper_of(head).vertices(vector)[head.spans["skin"]]
    places = places_of(head.template)
    points = np.einsum("kc,kcx->kx", places.weights, skin[places.corners])
    return np.asarray(points, np.float64)


class Places(NamedTuple):
    """Places on the skin as means of vertices."""

    corners: Indices
    """(K, 3), vertices."""
    weights: Reals
    """(K, 3); each row sums to 1."""


@lru_cache(maxsize=2)
def places_of(template: Template) -> Places:
    """Return the places of the 68 points on a template."""
    mirrored = np.array([-1.0, 1.0, 1.0])
    jaw, brow, ridge, nostril = (np.array(places) for places in (JAW, BROW, NOSE, NOSTRILS))
    halves = [jaw * mirrored, jaw[-2::-1], brow * mirrored, brow[::-1], ridge, nostril * mirrored, nostril[-2::-1]]
    attached = template.attach(np.concatenate(halves).astype(np.float32), normal=False)
    right, left = (rim_of(template, f"lid-{side}", LID_RING) for side in ("right", "left"))
    outer, inner = (rim_of(template, "mouth", ring) for ring in (LIP_RINGS, LIP_RING))
    shares = np.array(LID_SHARES)
    rings = [_ring(right, shares), _ring(left, 1 - shares[::-1]), _ring(outer, LIP_SHARES), _ring(inner, INNER_SHARES)]
    corners, weights = zip((attached.corners, attached.weights), *rings, strict=True)
    return Places(np.concatenate(corners), np.concatenate(weights))


def _ring(rim: Rim, shares: Doubles) -> Places:
    """Return places around an opening from its corner on the left of the picture, clockwise, at shares of its width."""
    upper = _edge(rim.upper, rim.upper_shares, shares)
    lower = _edge(rim.lower, rim.lower_shares, shares[-2:0:-1])
    return Places(*(np.concatenate(both) for both in zip(upper, lower, strict=True)))


def _edge(vertices: Indices, known: Reals, shares: Doubles) -> Places:
    """Return places along an edge whose vertices have `known` shares."""
    after = np.clip(np.searchsorted(known, shares, side="right"), 1, len(known) - 1)
    ahead = np.clip((shares - known[after - 1]) / np.maximum(known[after] - known[after - 1], 1e-9), 0, 1)
    corners = np.stack([vertices[after - 1], vertices[after], vertices[after]], axis=1)
    return Places(corners, np.stack([1 - ahead, ahead, np.zeros(len(shares))], axis=1))


def fit_shape(
    neutral: Reals, start: AvatarVector, head: Head, *, exaggeration: float | None = None
) -> Mapping[str, float]:
    """Return the values of the sliders that give the avatar a person's shape, by name.

    Args:
        neutral: (478, 3), the person's points without expression and rotation, as in `Observation.neutral`.
        start: The vector about which sliders are spread, and whose other sliders are kept.
        head: The compiled head.
        exaggeration: Factor of the person's deviation.
    """
    people = known_people()
    wanted = (EXAGGERATION if exaggeration is None else exaggeration) * deviation(neutral, people)
    scale = people.spread + FLOOR * people.spread.mean()
    weight = (np.array([1, 1, DEPTH_SHARE]) / (NOISE * scale)).ravel()
    base = normalised(neutral_points(AvatarVector({"style": start.sliders["style"]}), head))
    names = fitted_sliders()
    first = np.array([start.sliders[name] for name in names])
    low, high = np.minimum(first, MARGIN), np.maximum(first, 1 - MARGIN)
    values = first.copy()
    slopes = np.zeros((3 * COUNT, len(names)))
    for count in range(ROUNDS):
        vector = start.changed(dict(zip(names, values.tolist(), strict=True)))
        here = normalised(neutral_points(vector, head))
        if count < ROUNDS - 1:
            slopes = _slopes(vector, names, head)
        missing = weight * (wanted - (here - base)).ravel()
        rows = np.concatenate([weight[:, None] * slopes, np.eye(len(names)) / SPREAD])
        goal = np.concatenate([missing, (first - values) / SPREAD])
        step = lsq_linear(rows, goal, (low - values - 1e-9, high - values + 1e-9), method="bvls").x
        values = np.clip(values + step, low, high)
    return dict(zip(names, values.tolist(), strict=True))


@lru_cache(maxsize=1)
def fitted_sliders() -> tuple[str, ...]:
    """Return the names of the sliders that move any of the 68 points and are fitted."""
    shaping = (slider.name for slider in SLIDERS if slider.less or slider.more)
    return tuple(name for name in shaping if not name.startswith(KEPT))


def _slopes(vector: AvatarVector, names: tuple[str, ...], head: Head) -> Doubles:
    """Return the derivatives (204, S) of the normalised points by the sliders."""
    slopes = np.zeros((3 * COUNT, len(names)))
    for column, name in enumerate(names):
        value = vector.sliders[name]
        ends = max(value - STEP, 0.0), min(value + STEP, 1.0)
        less, more = (normalised(neutral_points(vector.changed({name: end}), head)) for end in ends)
        slopes[:, column] = (more - less).ravel() / (ends[1] - ends[0])
    return slopes
