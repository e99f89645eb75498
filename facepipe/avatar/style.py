"""The style: from the proportions of a person to those of a cartoon.

The preset is shape targets beyond their natural range, fields that enlarge the eyes and the skull, and a smoothing of
the skin. It grows linearly with the slider.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix, diags_array, identity

from facepipe.avatar.head import Head
from facepipe.avatar.mesh import Floats

PRESET: Mapping[str, float] = {
    "nose/nose-scale-vert-decr": 0.7,
    "nose/nose-scale-depth-decr": 0.6,
    "nose/nose-scale-horiz-decr": 0.3,
    "nose/nose-point-up": 0.5,
    "nose/nose-hump-decr": 0.5,
    "chin/chin-bones-decr": 0.9,
    "chin/chin-width-decr": 0.6,
    "head/head-oval": 0.4,
    "cheek/l-cheek-volume-incr": 0.6,
    "cheek/r-cheek-volume-incr": 0.6,
    "mouth/mouth-angles-up": 0.35,
    "mouth/mouth-laugh-lines-out": 0.8,
    "neck/neck-scale-horiz-decr": 0.6,
    "eyes/l-eye-height2-incr": 0.4,
    "eyes/r-eye-height2-incr": 0.4,
}
"""Amounts of shape targets at style 1."""
EYE_GROWTH = 0.5
"""By how much of its size an eye grows at style 1."""
EYE_REACH = (0.2, 0.55)
"""Decimetres from the centre of an eye within which all grows with it, and beyond which nothing does."""
EYE_RETREAT = 0.06
"""Decimetres by which the grown eyes move back, so that they do not bulge."""
SKULL_GROWTH = np.array([0.06, 0.08, 0.06])
"""By how much of their size the upper parts of the head grow."""
SKULL_RANGE = (7.1, 7.9)
"""Heights from which that growth begins and at which it is full, decimetres."""
SMOOTHING_ROUNDS = 6
SMOOTHING_SHARE = 0.8
"""Share of the smoothed shape in the skin at style 1, where nothing protects its detail."""


def smoothstep(values: Floats, start: float, end: float) -> Floats:
    """Return 0 below `start`, 1 above `end`, and a smooth way between; the reverse if `start` is above `end`."""
    share = np.clip((values - start) / (end - start), 0, 1)
    step: Floats = share * share * (3 - 2 * share)
    return step


def style_field(head: Head) -> Floats:
    """Return the displacements (N, 3) of the head's vertices at style 1, without smoothing."""
    field = np.zeros(head.vertices.shape)
    for name, amount in PRESET.items():
        morph = head.targets[name]
        field[morph.vertices] += amount * morph.offsets
    places = head.vertices.astype(np.float64)
    growth = smoothstep(places[:, 1], *SKULL_RANGE)[:, None] * SKULL_GROWTH
    field += growth * (places - np.array([0, SKULL_RANGE[0], 0.2]))
    for side in ("left", "right"):
        field += _eye_field(head, side)
    return field.astype(np.float32)


def _eye_field(head: Head, side: str) -> Floats:
    places = head.vertices.astype(np.float64)
    away = places - places[head.spans[f"eye-{side}"]].mean(axis=0)
    near = smoothstep(np.linalg.norm(away, axis=1), *EYE_REACH[::-1])[:, None]
    near[head.spans[f"eye-{'right' if side == 'left' else 'left'}"]] = 0
    field: Floats = near * (EYE_GROWTH * away - np.array([0, 0, EYE_RETREAT]))
    return field


def smoothing(head: Head) -> csr_matrix:
    """Return the sparse matrix (K, K) that maps the K vertices of the skin to their smoothing displacements at style 1."""
    count = head.spans["skin"].stop
    triangles = head.template.triangles
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    both = np.concatenate([edges, edges[:, ::-1]])
    graph = coo_matrix((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(count, count)).tocsr()
    graph.data[:] = 1
    mean = diags_array(1 / np.asarray(graph.sum(axis=1)).ravel()) @ graph
    step = 0.5 * identity(count) + 0.5 * mean
    smooth = step
    for _ in range(SMOOTHING_ROUNDS - 1):
        smooth = smooth @ step
    change = diags_array(SMOOTHING_SHARE * _softness(head)) @ (smooth - identity(count))
    return csr_matrix(change.astype(np.float32))


def _softness(head: Head) -> NDArray[np.float64]:
    """Return (K,): 1 where the skin is smoothed, 0 where that would blunt lids, lips, nostrils, ears and inner skin."""
    template = head.template
    soft = np.ones(len(template.vertices))
    for name, share in (("ear-left", 0.35), ("ear-right", 0.35), ("nose", 0.6), ("upper-lip", 0.5), ("lips", 0.15)):
        soft[template.regions[name]] = share
    for name in ("lid-left", "lid-right", "mouth-cavity", "socket-left", "socket-right"):
        soft[template.regions[name]] = 0
    return soft
