"""The measures of an evaluation and the candidates that are measured, as text for tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from facepipe.evaluate.manifest import Task
from facepipe.evaluate.staging import RESULT, UNMOVED
from facepipe.renderers import RENDERERS


@dataclass(frozen=True)
class Measure:
    """One measure and its form in tables."""

    title: str
    digits: int
    tasks: tuple[Task, ...] = ("same", "cross")
    scale: float = 1.0
    """Factor for display."""
    ratio: bool = False
    """Whether to use the median over clips instead of the mean, because a ratio to a value near zero is unbounded."""

    @property
    def of_clip(self) -> str:
        """The title for a single clip."""
        return self.title.removesuffix(", median")


MEASURES: Mapping[str, Measure] = {
    "psnr": Measure("PSNR, dB", 2, ("same",)),
    "ssim": Measure("SSIM", 3, ("same",)),
    "lpips": Measure("LPIPS 0.1, AlexNet", 4, ("same",)),
    "feature_distance": Measure("feature distance, embedded detector and landmarker", 4, ("same",)),
    "mouth_l1": Measure("mouth region L1, grey levels", 2, ("same",)),
    "sharpness": Measure("sharpness, ratio, median", 2, ratio=True),
    "flicker": Measure("flicker, frame-difference energy, ratio, median", 2, ratio=True),
    "flicker_by_contrast": Measure("flicker over contrast, ratio, median", 2, ratio=True),
    "aed": Measure("AED, linear478", 3),
    "apd_angles": Measure("APD, angles only, radians, linear478", 4),
    "apd_translation": Measure("APD, angles and translation, linear478", 4),
    "aed_bfm": Measure("AED, bfm", 4),
    "apd_angles_bfm": Measure("APD, angles only, radians, bfm", 4),
    "apd_translation_bfm": Measure("APD, angles and translation, bfm", 4),
    "landmarks": Measure("landmark distance, % of outer-eye distance", 2, ("same",), 100),
    "shape": Measure("face shape, distance to the source's, % of outer-eye distance", 2, ("cross",), 100),
    "shape_driver": Measure("face shape, distance to the driver's, % of outer-eye distance", 2, ("cross",), 100),
    "colour": Measure("face colour, difference to the source's, Delta E", 2, ("cross",)),
    "identity": Measure("identity similarity to the source, cosine", 3),
    "seen": Measure("frames with a face, %", 1, ("same", "cross"), 100),
}


def title_of(candidate: str) -> str:
    """Return the name of a candidate inside a sentence."""
    return {RESULT: "result", UNMOVED: "the unmoved source"}.get(candidate, f"the {candidate} renderer")


def description_of(candidate: str) -> str:
    """Return what a candidate is."""
    if candidate in RENDERERS:
        return f"{title_of(candidate)}: {RENDERERS[candidate].about}"
    return {RESULT: "the renderer or the finished video under test", UNMOVED: "the source, repeated"}[candidate]
