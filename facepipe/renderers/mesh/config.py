"""Settings of the mesh renderer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MeshConfig:
    """How the face mesh is continued over hair, neck and background.

    Rings of 36 points surround the rim of the face. A ring lies `factor` times as far from the middle of the face as
    the rim, follows the head with weight `follow` (1 rigidly, 0 not at all), and has gone `recede` of the way from the
    rim's depth to that of the middle of the head: a silhouette turns about its own depth.
    """

    ring_factors: tuple[float, ...] = (1.22, 1.5, 1.9, 2.5, 3.4, 12.0)
    ring_follows: tuple[float, ...] = (1.0, 0.92, 0.55, 0.18, 0.0, 0.0)
    ring_recedes: tuple[float, ...] = (0.6, 1.0, 1.0, 1.0, 1.0, 1.0)
    ring_expressions: tuple[float, ...] = (0.5, 0.2, 0.05, 0.0, 0.0, 0.0)
    """How far each ring follows what expression does to the rim: a falling jaw takes the skin below along."""
    head_depth: float = 0.55
    """Canonical depth of the middle of the head, in outer-eye distances behind the origin."""
    neck_hold: float = 0.55
    """How much of the following is taken away straight below the chin: shoulders stay where they are."""
    smoothing_pixels: float = 3.0
    """Blur of the flow field outside the face, at 256 pixels."""
    mouth_open: float = 0.035
    """Gap between the lips of the source, in outer-eye distances, from which on its own mouth is worth showing."""
    mouth_enough: tuple[float, float] = (0.45, 0.7)
    """The same over the gap that is wanted: from the first on some of its own is stretched, from the second on all."""
    eye_open: float = 0.012
    """Gap between the lids of the source from which on its own eyeball is worth showing."""
    lids_meet: tuple[float, float] = (0.034, 0.019)
    """Gap between the lids at which a closing eye begins to show lashes instead of a squeezed eyeball, and at which it
    shows nothing else."""
