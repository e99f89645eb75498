"""The pixel measures of one candidate, accumulated frame by frame in constant memory."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from facepipe.evaluate.frechet import Moments
from facepipe.evaluate.networks import Networks
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
    psnr,
    ssim,
)


@dataclass
class AppearanceStats:
    """Sharpness and flicker of a face, summed over a clip."""

    sharpness: float = 0.0
    change: float = 0.0
    contrast: float = 0.0
    frames: int = 0
    changes: int = 0
    before: NDArray[np.float32] | None = None

    def add(self, picture: Picture, points: Floats) -> None:
        """Add the next frame and the points of its face."""
        bright, box = luminance(picture), face_box(points, picture.shape)
        if self.before is not None:
            self.change += float(np.mean((inside(bright, box) - inside(self.before, box)) ** 2))
            self.changes += 1
        self.sharpness += laplacian_energy(bright, box)
        self.contrast += float(np.var(inside(bright, box).astype(np.float64)))
        self.frames += 1
        self.before = bright

    def mean_sharpness(self) -> float:
        """Return the energy of the Laplacian inside the face box."""
        return self.sharpness / max(self.frames, 1)

    def mean_change(self, *, by_contrast: bool = False) -> float:
        """Return the energy of the difference of successive frames in the face box, optionally over its variance."""
        change = self.change / max(self.changes, 1)
        return change / max(self.contrast / max(self.frames, 1), 1e-6) if by_contrast else change


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
    frames: int = 0

    def __post_init__(self) -> None:
        """Measure the source."""
        self.colour = face_colour(self.face, self.face_points)
        self.embedding = self.networks.embed(self.face, self.face_points) if self.networks.embed else None

    def add(self, picture: Picture, points: Floats, truth: Picture) -> None:
        """Add a frame, the points of its face, and the driver's frame."""
        self.frames += 1
        self.stats.add(picture, points)
        if self.compared:
            self._count("psnr", psnr(picture, truth))
            self._count("ssim", ssim(picture, truth))
            self._count("mouth_l1", mean_difference(picture, truth, lip_box(points, truth.shape)))
            if self.networks.lpips:
                self._count("lpips", self.networks.lpips(picture, truth))
        else:
            self._count("colour", float(np.linalg.norm(face_colour(picture, points) - self.colour)))
        if self.networks.embed and self.embedding is not None:
            self._count("identity", float(self.networks.embed(picture, points) @ self.embedding))
        if self.networks.features:
            self.features.add(self.networks.features(picture)[None])

    def _count(self, name: str, value: float) -> None:
        self.totals[name] = self.totals.get(name, 0.0) + value

    def scores(self, driver: AppearanceStats, source: AppearanceStats) -> dict[str, float]:
        """Return the means over the frames, and the ratios to the statistics of driver and source."""
        reference = driver if self.compared else source
        raw, relative = (
            self.stats.mean_change(by_contrast=way) / max(driver.mean_change(by_contrast=way), 1e-9)
            for way in (False, True)
        )
        return {name: total / max(self.frames, 1) for name, total in self.totals.items()} | {
            "sharpness": self.stats.mean_sharpness() / max(reference.mean_sharpness(), 1e-9),
            "flicker": raw,
            "flicker_by_contrast": relative,
        }
