"""Settings of the mesh renderer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MeshConfig:
    """Continuation of the face mesh over hair, neck and background, and thresholds of the apertures.

    Rings of 36 points surround the oval of the face. A ring is the oval scaled by `factor` about its centre. It follows
    the head with weight `follow` (1: rigidly, 0: not at all). Its depth is interpolated by `recede` between that of the
    oval (0) and that of the head's centre (1), because a silhouette turns about its own depth.
    """

    ring_factors: tuple[float, ...] = (1.22, 1.5, 1.9, 2.5, 3.4, 12.0)
    ring_follows: tuple[float, ...] = (1.0, 0.92, 0.55, 0.18, 0.0, 0.0)
    ring_recedes: tuple[float, ...] = (0.6, 1.0, 1.0, 1.0, 1.0, 1.0)
    ring_expressions: tuple[float, ...] = (0.5, 0.2, 0.05, 0.0, 0.0, 0.0)
    """Weight with which each ring follows the oval's motion by expression: an opening jaw moves the skin below it."""
    head_depth: float = 0.55
    """Canonical depth of the head's centre, in outer-eye distances behind the origin."""
    neck_hold: float = 0.55
    """Reduction of `follow` straight below the chin, as a fraction: shoulders do not move with the head."""
    smoothing_pixels: float = 3.0
    """Standard deviation of the blur of the flow outside of the face, for pictures of 256 pixels."""
    min_mouth_aperture: float = 0.035
    """Smallest mouth aperture of the source, in outer-eye distances, from which its mouth interior is used."""
    mouth_ratios: tuple[float, float] = (0.45, 0.7)
    """Ratios of the source's to the target's mouth aperture; see `rendered_share`."""
    min_eye_aperture: float = 0.012
    """Smallest eye aperture of the source, in outer-eye distances, from which its eyeball is used."""
    closing_apertures: tuple[float, float] = (0.034, 0.019)
    """Eye apertures of the target, in outer-eye distances: below the first, lashes are blended in instead of a squeezed
    eyeball; below the second, only lashes are visible."""
