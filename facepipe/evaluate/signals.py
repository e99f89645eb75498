"""Signals of a face over time, one number per frame, and the correlation of two faces' signals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepipe.face import topology as at
from facepipe.face.fitting import fit
from facepipe.face.model import FaceModel
from facepipe.face.pose import angles_of

Floats = NDArray[np.float64]
SIGNALS = ("yaw", "pitch", "roll", "mouth opening", "eye opening")
# A correlation over fewer frames is not meaningful.
MIN_FRAMES = 10


@dataclass(frozen=True)
class Followed:
    """The signals of a driver and of a result, in the frames in which both show a face."""

    wanted: Mapping[str, Floats]
    got: Mapping[str, Floats]
    seen: float
    """Share of the frames in which the result shows a face."""

    def __len__(self) -> int:
        return len(next(iter(self.wanted.values())))


def signals(points: NDArray[np.floating], valid: NDArray[np.bool_], model: FaceModel) -> dict[str, Floats]:
    """Return signals of shape (T,): angles in degrees, gaps of lips and lids in outer-eye distances."""
    fitted = fit(model, points.astype(np.float64), valid)
    shapes = fitted.pose.undo(points.astype(np.float64))
    angles = np.degrees(angles_of(fitted.pose.rotation))

    def gap(upper: tuple[int, ...], lower: tuple[int, ...]) -> Floats:
        return np.asarray(np.linalg.norm(shapes[:, list(upper)] - shapes[:, list(lower)], axis=-1).mean(1))

    eyes = gap(at.RIGHT_LID_UPPER, at.RIGHT_LID_LOWER) + gap(at.LEFT_LID_UPPER, at.LEFT_LID_LOWER)
    return {
        "pitch": angles[:, 0],
        "yaw": angles[:, 1],
        "roll": angles[:, 2],
        "mouth opening": gap(at.LIP_INNER_UPPER, at.LIP_INNER_LOWER),
        "eye opening": eyes / 2,
    }


def follow(
    truth: NDArray[np.floating],
    found: NDArray[np.bool_],
    made: NDArray[np.floating],
    there: NDArray[np.bool_],
    model: FaceModel,
) -> Followed | None:
    """Compare a driver's (T, 478, 3) points with a result's; None if too few frames show both faces."""
    both = found & there
    if both.sum() < MIN_FRAMES:
        return None
    wanted, got = signals(truth, both, model), signals(made, both, model)
    return Followed(
        {name: rows[both] for name, rows in wanted.items()},
        {name: rows[both] for name, rows in got.items()},
        float(there.mean()),
    )


def correlation(first: Floats, second: Floats) -> float:
    """Return Pearson's correlation; nan if one of the two signals is constant."""
    if first.std() == 0 or second.std() == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


def correlations(clips: Iterable[Followed]) -> dict[str, tuple[float, float]]:
    """Return, by signal, the correlation over all frames (less the mean of each clip), and the mean over clips."""
    every, figures = list(clips), {}
    for name in SIGNALS:
        pairs = [(one.wanted[name] - one.wanted[name].mean(), one.got[name] - one.got[name].mean()) for one in every]
        if not pairs:
            figures[name] = (float("nan"), float("nan"))
            continue
        wanted, got = (np.concatenate(side) for side in zip(*pairs, strict=True))
        figures[name] = (correlation(wanted, got), float(np.nanmean([correlation(a, b) for a, b in pairs])))
    return figures
