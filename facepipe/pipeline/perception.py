"""Finding the face in a medium and fitting the model to it: what every job begins with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from facepipe import weights
from facepipe.engine import Artefact, Job, Pending
from facepipe.pipeline.options import Options
from facepipe.pipeline.precheck import Medium
from stages import coefficients, crop

WEIGHTS = ("detector", "landmarker", "face-model")
Weights = Mapping[str, weights.WeightFile]
Made = Artefact | Pending


@dataclass(frozen=True)
class Fitted:
    """A medium cropped and fitted."""

    crop: Made
    coefficients: Made


def crop_source(job: Job, medium: Medium, options: Options, weights: Weights, label: str) -> Made:
    """Find the portrait's face, in the chosen frame of a video, and cut it out."""
    params = crop.Params(
        face=options.face,
        still=options.source_frame if medium.kind == "video" else "",
        size_pixels=options.size_pixels,
    )
    return _crop(job, medium, params, weights, label)


def track_clip(
    job: Job, medium: Medium, options: Options, weights: Weights, label: str, *, face: str, pictures: bool = False
) -> Made:
    """Follow a face through a clip or picture; with `pictures` also write what was cut out."""
    params = crop.Params(
        face=face,
        # The other policies are carried out later: changing between them must not track again.
        no_face="fail" if options.no_face == "fail" else "hold",
        pictures=pictures,
    )
    if pictures:
        params = replace(params, size_pixels=options.size_pixels, quality=options.quality)
    return _crop(job, medium, params, weights, label)


def _crop(job: Job, medium: Medium, params: crop.Params, weights: Weights, label: str) -> Made:
    needed = {name: weights[name] for name in crop.STAGE.weights}
    return job.run(crop.STAGE, {"media": medium.path}, params, weights=needed, label=label, frames=medium.frames)


def fit_track(job: Job, cropped: Made, weights: Weights, label: str, *, smoothing: str, frames: int) -> Fitted:
    """Fit the face model to a track."""
    fitted = job.run(
        coefficients.STAGE,
        {"track": cropped.output("track.npz")},
        coefficients.Params(smoothing=smoothing),
        weights={"face-model": weights["face-model"]},
        label=label,
        frames=frames,
    )
    return Fitted(cropped, fitted)


def fit_source(job: Job, medium: Medium, options: Options, weights: Weights) -> Fitted:
    """Crop and fit the portrait."""
    cropped = crop_source(job, medium, options, weights, "crop source")
    return fit_track(job, cropped, weights, "fit source", smoothing="none", frames=1)


def fit_driver(job: Job, medium: Medium, options: Options, weights: Weights) -> Fitted:
    """Track and fit the driver."""
    tracked = track_clip(job, medium, options, weights, "crop driver", face=options.driver_face)
    smoothing = options.smoothing if medium.frames > 1 else "none"
    return fit_track(job, tracked, weights, "fit driver", smoothing=smoothing, frames=medium.frames)
