"""The measures of a decoded clip: pixels, landmarks, and the rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepipe.evaluate.codec.clips import CodecClip, Frames
from facepipe.evaluate.codec.coding import Coded
from facepipe.evaluate.judging import shape_distance
from facepipe.evaluate.meter import AppearanceStats
from facepipe.evaluate.networks import Networks
from facepipe.evaluate.perceptual import feature_distance
from facepipe.evaluate.pixels import Picture, psnr, ssim
from facepipe.evaluate.signals import Followed, follow
from facepipe.face.cropping import outer_eye_distance
from facepipe.face.fitting import fit
from facepipe.face.model import FaceModel

# SSIM, feature distance, identity and sharpness are measured in every fifth frame, because they take long.
MEASURED_EVERY, FIRST_MEASURED = 5, 2


@dataclass(frozen=True)
class Points:
    """The landmarks of a clip."""

    points: NDArray[np.float32]
    """(T, 478, 3) in pixels."""
    valid: NDArray[np.bool_]
    """(T,) frames in which a face is found."""

    def held(self) -> NDArray[np.float32]:
        """Return the points with those of the nearest earlier face in frames without one; zero if there is none."""
        last = np.maximum.accumulate(np.where(self.valid, np.arange(len(self.valid)), int(np.argmax(self.valid))))
        return np.asarray(self.points[last])


def rate_scores(coded: Coded, clip: CodecClip) -> dict[str, float]:
    """Return rates in kbit/s, and speeds of the two commands in frames/s by the clock and per CPU second."""
    count, bits = len(clip.frames), 8 / 1000 / clip.seconds
    return {
        "rate": coded.stream_bytes * bits,
        "rate_without_key": (coded.stream_bytes - coded.key_bytes) * bits,
        "key_bytes": float(coded.key_bytes),
        "key_frames": float(coded.key_frames),
        "token_bytes": float(coded.token_bytes),
        "scale": float(coded.scale),
        "encode_fps": count / max(coded.encoding.seconds, 1e-9),
        "decode_fps": count / max(coded.decoding.seconds, 1e-9),
        "encode_fps_per_cpu": count / max(coded.encoding.cpu_seconds, 1e-9),
        "decode_fps_per_cpu": count / max(coded.decoding.cpu_seconds, 1e-9),
    }


@dataclass
class PixelMeter:
    """Compares decoded clips with an original, whose features are computed once."""

    truth: Frames
    points: NDArray[np.float32]
    """(T, 478, 3) its landmarks; zero in frames without a face."""
    networks: Networks

    def __post_init__(self) -> None:
        """Choose the frames, and compute the original's features in those with a face."""
        self.measured = range(FIRST_MEASURED, len(self.truth), MEASURED_EVERY)
        faces = [number for number in self.measured if self.points[number].any()]
        self.features = {number: self.networks.face.maps(self.truth[number], self.points[number]) for number in faces}

    def scores(self, frames: Frames) -> dict[str, float]:
        """Return PSNR of all frames, and the other pixel measures of every fifth."""
        values: dict[str, list[float]] = {"psnr": [psnr(one, two) for one, two in zip(frames, self.truth, strict=True)]}
        made, real = AppearanceStats(), AppearanceStats()
        for number in self.measured:
            picture, wanted, face = frames[number], self.truth[number], self.points[number]
            values.setdefault("ssim", []).append(ssim(picture, wanted))
            if number in self.features:
                for name, value in self._face_scores(picture, number).items():
                    values.setdefault(name, []).append(value)
                made.add(picture, face)
                real.add(wanted, face)
        scores = {name: float(np.mean(each)) for name, each in values.items()}
        return scores | ({"sharpness": made.mean_sharpness() / max(real.mean_sharpness(), 1e-9)} if real.frames else {})

    def _face_scores(self, picture: Picture, number: int) -> dict[str, float]:
        networks, wanted, face = self.networks, self.truth[number], self.points[number]
        scores = {"feature_distance": feature_distance(networks.face.maps(picture, face), self.features[number])}
        if networks.lpips:
            scores["lpips"] = networks.lpips(picture, wanted)
        if networks.embed:
            scores["identity"] = 1 - float(networks.embed(picture, face) @ networks.embed(wanted, face))
        return scores


def landmark_scores(made: Points, truth: Points, model: FaceModel) -> tuple[dict[str, float], Followed | None]:
    """Return the landmark error and the difference of the faces at rest, both in % of the outer-eye distance.

    The error is the mean distance of the 478 points in the picture, over the frames in which both clips show a face.
    `lost` is the share of the frames in % in which only the original does.
    """
    both = made.valid & truth.valid
    scores = {"lost": 100 * float((truth.valid & ~made.valid).mean())}
    if both.any():
        apart = np.linalg.norm(made.points[both, :, :2] - truth.points[both, :, :2], axis=-1).mean(1)
        scores["landmarks"] = 100 * float((apart / outer_eye_distance(truth.points[both])).mean())
        own, wanted = (fit(model, one.points.astype(np.float64), both).identity for one in (made, truth))
        scores["shape"] = 100 * shape_distance(own, wanted, model)
    return scores, follow(truth.points, truth.valid, made.points, made.valid, model)


def signals_of(followed: Followed | None) -> Mapping[str, list[list[float]]]:
    """Return the signals of the original and of the decoded clip by name, as numbers for JSON."""
    if followed is None:
        return {}
    return {
        name: [[round(float(value), 5) for value in side[name]] for side in (followed.wanted, followed.got)]
        for name in followed.wanted
    }


def followed_of(signals: Mapping[str, list[list[float]]]) -> Followed | None:
    """Return what `signals_of` has written."""
    if not signals:
        return None
    wanted, got = ({name: np.asarray(sides[side]) for name, sides in signals.items()} for side in (0, 1))
    return Followed(wanted, got, 1.0)
