"""The measures of the codec's evaluation, as text for tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """One measure and its form in tables."""

    title: str
    digits: int
    median: bool = False
    """Whether to use the median over clips instead of the mean, because a ratio to a value near zero is unbounded."""


MEASURES: Mapping[str, Measure] = {
    "rate": Measure("kbit/s", 2),
    "rate_without_key": Measure("kbit/s without key frame", 2),
    "key_bytes": Measure("key frames, bytes", 0),
    "key_frames": Measure("key frames", 1),
    "landmarks": Measure("landmark error, % of the eye distance", 2),
    "lost": Measure("frames without a face, %", 1),
    "shape": Measure("face shape, % of the eye distance", 2),
    "identity": Measure("identity distance, 1 - cosine", 3),
    "psnr": Measure("PSNR, dB", 2),
    "ssim": Measure("SSIM", 3),
    "lpips": Measure("LPIPS 0.1, AlexNet", 4),
    "feature_distance": Measure("feature distance", 4),
    "sharpness": Measure("sharpness, ratio, median", 2, median=True),
    "encode_fps": Measure("encoding, frames/s", 1),
    "decode_fps": Measure("decoding, frames/s", 1),
    "encode_fps_per_cpu": Measure("encoding, frames per CPU second", 1),
    "decode_fps_per_cpu": Measure("decoding, frames per CPU second", 1),
}


def value_text(measure: str, value: float | None) -> str:
    """Return a value as text for tables; a dash if it was not measured."""
    return "–" if value is None else f"{value:.{MEASURES[measure].digits}f}"
