"""The pixel measures of one candidate, accumulated frame by frame in constant memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from facepipe.evaluate.frechet import Moments
from facepipe.evaluate.networks import Networks
from facepipe.evaluate.perceptual import feature_distance
from facepipe.evaluate.pixels import (
    Floats,
    Picture,
    face_box,
    face_colour,
    inside,
    laplacian_energy,
    lip_box,
    luminance,
    mean_difference,
    over_truth,
    psnr,
    ssim,
)


@dataclass
class AppearanceStats:
    """Sharpness and flicker of a face, summed over a clip."""

    sharpness: float = 0.0
    change: float = 0.0
    contrast: float = 0.0
    sharp_frames: int = 0
    frames: int = 0
    changes: int = 0
    before: NDArray[np.float32] | None = None

    def add(self, picture: Picture, points: Floats, matte: Floats | None = None) -> None:
        """Add the next frame and the points of its face. With a (S, S) matte, sharpness is measured inside it."""
        bright, box = luminance(picture), face_box(points, picture.shape)
        if self.before is not None:
            self.change += float(np.mean((inside(bright, box) - inside(self.before, box)) ** 2))
            self.changes += 1
        sharpness = laplacian_energy(bright, box, matte)
        if math.isfinite(sharpness):
            self.sharpness += sharpness
            self.sharp_frames += 1
        self.contrast += float(np.var(inside(bright, box).astype(np.float64)))
        self.frames += 1
        self.before = bright

    def mean_sharpness(self) -> float:
        """Return the energy of the Laplacian inside the face box."""
        return self.sharpness / max(self.sharp_frames, 1)

    def mean_change(self, *, by_contrast: bool = False) -> float:
        """Return the energy of the difference of successive frames in the face box, optionally over its variance."""
        change = self.change / max(self.changes, 1)
        return change / max(self.contrast / max(self.frames, 1), 1e-6) if by_contrast else change


@dataclass(frozen=True)
class Truth:
    """A frame of the driver, with which the frames of all candidates are compared."""

    picture: Picture
    """(S, S, 3)"""
    points: Floats
    """The landmarks of its face, (478, 3)."""
    matte: Floats | None = None
    """(S, S) in [0, 1], the share of the person in each pixel, 0 without one; None if whole pictures are compared."""
    features: Sequence[Tensor] = ()
    """The face in `FaceFeatures.maps`, if the frame is compared."""


@dataclass
class Meter:
    """The pixel measures of one candidate. The caller excludes the frame that is the source itself."""

    networks: Networks
    features: Moments
    """Picture features of this candidate in all clips, for FID."""
    face: Picture
    """The source, (S, S, 3)."""
    face_points: Floats
    """The landmarks of the source, (478, 3)."""
    compared: bool
    """Whether the driver is the ground truth: the same person and section."""
    stats: AppearanceStats = field(default_factory=AppearanceStats)
    totals: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    """By measure: the number of frames in `totals`."""

    def __post_init__(self) -> None:
        """Measure the source."""
        self.colour = face_colour(self.face, self.face_points)
        self.embedding = self.networks.embed(self.face, self.face_points) if self.networks.embed else None

    def add(self, picture: Picture, points: Floats, truth: Truth) -> None:
        """Add a frame, the points of its face, and the driver's frame."""
        self.stats.add(picture, points, truth.matte)
        if self.compared:
            self._compare(picture, points, truth)
        else:
            self._count("colour", float(np.linalg.norm(face_colour(picture, points) - self.colour)))
        if self.networks.embed and self.embedding is not None:
            self._count("identity", float(self.networks.embed(picture, points) @ self.embedding))
        if self.networks.features:
            self.features.add(self.networks.features(picture)[None])

    def _compare(self, picture: Picture, points: Floats, truth: Truth) -> None:
        """Count the differences to the driver's frame, inside its matte if it has one."""
        wanted, matte = truth.picture, truth.matte
        if matte is not None and not matte.any():
            return
        self._count("psnr", psnr(picture, wanted, matte))
        self._count("ssim", ssim(picture, wanted, matte))
        self._count("mouth_l1", mean_difference(picture, wanted, lip_box(points, wanted.shape), matte))
        # Networks compare whole pictures, so outside the matte they see the driver's pixels in both.
        seen = picture if matte is None else over_truth(picture, wanted, matte)
        self._count("feature_distance", feature_distance(self.networks.face.maps(seen, truth.points), truth.features))
        if self.networks.lpips:
            self._count("lpips", self.networks.lpips(seen, wanted))

    def _count(self, name: str, value: float) -> None:
        """Add a value of a frame; nan, of a frame whose matte is empty where it is measured, does not count."""
        if math.isfinite(value):
            self.totals[name] = self.totals.get(name, 0.0) + value
            self.counts[name] = self.counts.get(name, 0) + 1

    def scores(self, driver: AppearanceStats, source: AppearanceStats) -> dict[str, float]:
        """Return the means over the frames, and the ratios to the statistics of driver and source."""
        reference = driver if self.compared else source
        raw, relative = (
            self.stats.mean_change(by_contrast=way) / max(driver.mean_change(by_contrast=way), 1e-9)
            for way in (False, True)
        )
        return {name: total / self.counts[name] for name, total in self.totals.items()} | {
            "sharpness": self.stats.mean_sharpness() / max(reference.mean_sharpness(), 1e-9),
            "flicker": raw,
            "flicker_by_contrast": relative,
        }
