"""The style: from the proportions of a person to those of a cartoon.

The preset is shape targets beyond their natural range, fields that enlarge the eyes and the skull, and a smoothing of
the skin. It grows linearly with the slider.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix, diags_array, identity

from facepipe.avatar.head import Head
from facepipe.avatar.mesh import Reals
from facepipe.avatar.units import UNITS

PRESET: Mapping[str, float] = {
    "nose/nose-scale-vert-decr": 0.3,
    "nose/nose-scale-depth-decr": 0.0,
    "nose/nose-scale-horiz-decr": 0.15,
    "nose/nose-point-up": 0.3,
    "nose/nose-hump-decr": 0.4,
    "nose/nose-width1-decr": 0.3,
    "chin/chin-bones-decr": 0.4,
    "chin/chin-width-decr": 0.0,
    "cheek/l-cheek-volume-incr": 0.6,
    "cheek/r-cheek-volume-incr": 0.6,
    "mouth/mouth-angles-up": 0.6,
    "mouth/mouth-laugh-lines-out": 1.0,
    "mouth/mouth-scale-horiz-decr": 0.2,
    "forehead/forehead-nubian-incr": 0.2,
    "eyes/l-eye-height1-incr": 0.5,
    "eyes/r-eye-height1-incr": 0.5,
    "eyes/l-eye-height2-incr": 0.9,
    "eyes/r-eye-height2-incr": 0.9,
    "eyes/l-eye-height3-incr": 0.5,
    "eyes/r-eye-height3-incr": 0.5,
    "eyes/l-eye-bag-decr": 1.0,
    "eyes/r-eye-bag-decr": 1.0,
    "eyebrows/eyebrows-trans-up": 0.6,
    "eyebrows/eyebrows-trans-backward": 0.6,
}
"""Amounts of shape targets at style 1."""
EXPRESSION: Mapping[str, float] = {"mouthSmileLeft": 0.18, "mouthSmileRight": 0.18}
"""Weights of face units at style 1: a hint of a smile."""
EYE_GROWTH = 0.55
"""By how much of its size an eye grows."""
EYE_REACH = (0.17, 0.85)
"""Decimetres from the centre of an eye within which all grows with it, and beyond which nothing does."""
EYE_CORE = (0.2, 0.28)
"""Decimetres from the centre of an eye within which the nose holds nothing back, and beyond which it does."""
BELOW = np.array([1.0, 1.6, 1.0])
"""Factors of distances below an eye."""
MIDDLE = (0.0, 0.19)
"""Decimetres from the middle of the face within which nothing moves sideways, and beyond which all does."""
NOSE_REACH = (0.12, 0.42)
"""Decimetres from the base of the nose within which nothing grows with the eyes, and beyond which all does."""
EYE_SHIFT = np.array([0.04, -0.02, -0.035])
"""Decimetres by which a grown eye moves outwards, up and forward: apart, down, and back so that it does not bulge."""
SKULL_GROWTH = np.array([0.13, 0.04, 0.08])
"""By how much of their size the upper parts of the head grow."""
SKULL_RANGE = (6.9, 7.7)
"""Heights from which that growth begins and at which it is full, decimetres."""
FACE_WIDENING = 0.08
"""By how much of its width the face grows at the height of the cheeks."""
CHIN_RISE = 0.13
"""Share by which the face below the eyes is shortened."""
FACE_HEIGHTS = (6.25, 7.25)
"""Heights of chin and of the line below the eyes, decimetres."""
NECK_NARROWING = 0.3
"""By how much of its width the neck becomes thinner."""
DETAILS = (("nose-base", 0.34, 0.4), ("nose-tip", 0.25, 0.3))
"""Landmark, radius in decimetres, and share of smoothing left at the landmark, of details that are protected."""
OPENING_RINGS = {"mouth": (5, 10), "lid-left": (3, 8), "lid-right": (3, 8)}
"""Rings around each opening of the skin: the last one that is not smoothed, and the first one that fully is."""
SMOOTHING_ROUNDS = 14
SOFTNESS_ROUNDS = 8
"""Rounds by which the protection of detail is spread, so that no edge shows where it begins."""
SMOOTHING_SHARE = 0.9
"""Share of the smoothed shape in the skin at style 1, where nothing protects its detail."""


def smoothstep(values: Reals, start: float, end: float) -> Reals:
    """Return 0 below `start`, 1 above `end`, and a smooth way between; the reverse if `start` is above `end`."""
    share = np.clip((values - start) / (end - start), 0, 1)
    step: Reals = share * share * (3 - 2 * share)
    return step


def style_field(head: Head) -> Reals:
    """Return the displacements (N, 3) of the head's vertices at style 1, without smoothing."""
    field = np.zeros(head.vertices.shape)
    for name, amount in PRESET.items():
        morph = head.targets[name]
        field[morph.vertices] += amount * morph.offsets
    for name, weight in EXPRESSION.items():
        field += weight * head.units[UNITS.index(name)]
    places = head.vertices.astype(np.float64)
    for side in ("left", "right"):
        field += _eye_field(head, side)
    field += _skull_field(places) + _face_field(places) + _neck_field(head, places)
    return field.astype(np.float32)


def _eye_field(head: Head, side: str) -> Reals:
    sign, other = (1, "right") if side == "left" else (-1, "left")
    places = head.vertices.astype(np.float64)
    away = places - places[head.spans[f"eye-{side}"]].mean(axis=0)
    # Below the eye the reach is shorter: the cheeks stay off the mouth.
    distances = np.linalg.norm(away * np.where(away[:, 1:2] < 0, BELOW, 1), axis=1)
    nose = np.linalg.norm(places - head.template.vertices[head.template.landmarks["nose-base"]], axis=1)
    free = np.maximum(smoothstep(nose, *NOSE_REACH), smoothstep(distances, *EYE_CORE[::-1]))
    near = smoothstep(distances, *EYE_REACH[::-1]) * free * smoothstep(sign * places[:, 0], -0.1, 0.1)
    near[head.spans[f"eye-{side}"]], near[head.spans[f"eye-{other}"]] = 1, 0
    field: Reals = near[:, None] * (EYE_GROWTH * away + EYE_SHIFT * [sign, 1, 1])
    # Nothing crosses the middle of the face.
    field[: head.spans["skin"].stop, 0] *= smoothstep(sign * places[: head.spans["skin"].stop, 0], *MIDDLE)
    return field


def _skull_field(places: Reals) -> Reals:
    growth = smoothstep(places[:, 1], *SKULL_RANGE)[:, None] * SKULL_GROWTH
    field: Reals = growth * (places - np.array([0, SKULL_RANGE[0], 0.2]))
    return field


def _face_field(places: Reals) -> Reals:
    """Return the widening of the cheeks and the rise of the chin, which takes all below it along."""
    low, high = FACE_HEIGHTS
    bump = smoothstep(places[:, 1], low - 0.25, 6.5) * smoothstep(places[:, 1], 7.6, 6.9)
    rise = CHIN_RISE * np.clip(high - places[:, 1], 0, high - low)
    return np.stack([FACE_WIDENING * bump * places[:, 0], rise, np.zeros(len(places))], axis=1)


def _neck_field(head: Head, places: Reals) -> Reals:
    share = (1 - head.turning) * smoothstep(places[:, 1], 5.2, 5.7)
    middle = places[head.joint("joint-neck"), 2] + 0.2
    away = (places - np.array([0, 0, middle])) * [1, 0, 1]
    field: Reals = -NECK_NARROWING * share[:, None] * away
    return field


class Smoothing:
    """The smoothing of the skin: a random walk over its edges, blended in where nothing protects detail."""

    def __init__(self, head: Head) -> None:
        count, triangles = len(head.template.vertices), head.template.triangles
        edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
        both = np.concatenate([edges, edges[:, ::-1]])
        graph = coo_matrix((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(count, count)).tocsr()
        graph.data[:] = 1
        walk = 0.5 * identity(count) + 0.5 * diags_array(1 / np.asarray(graph.sum(axis=1)).ravel()) @ graph
        soft = _softness(head)
        for _ in range(SOFTNESS_ROUNDS):
            soft = np.minimum(soft, walk @ soft)
        self._step = csr_matrix(walk.astype(np.float32))
        self._share = (SMOOTHING_SHARE * soft).astype(np.float32)[:, None]

    def displacements(self, skin: Reals) -> Reals:
        """Return the displacements (K, 3) at style 1 of the skin's vertices (K, 3)."""
        smooth = skin
        for _ in range(SMOOTHING_ROUNDS):
            smooth = self._step @ smooth
        moved: Reals = self._share * (smooth - skin)
        return moved


def _softness(head: Head) -> Reals:
    """Return (K,): 1 where the skin is smoothed, 0 where that would blunt lids, lips, nose, ears and inner skin."""
    template = head.template
    soft = np.ones(len(template.vertices))
    for landmark, size, share in DETAILS:
        away = np.linalg.norm(template.vertices - template.vertices[template.landmarks[landmark]], axis=1)
        soft *= 1 - (1 - share) * smoothstep(away, size, 0.4 * size)
    for name, share in (("ear-left", 0.25), ("ear-right", 0.25), ("jaw", 0.6), ("scalp", 0.5)):
        soft[template.regions[name]] *= share
    for opening, (first, last) in OPENING_RINGS.items():
        soft *= np.clip((template.rings[opening] - first) / (last - first), 0, 1)
    for name in ("mouth-cavity", "socket-left", "socket-right"):
        soft[template.regions[name]] = 0
    return soft
