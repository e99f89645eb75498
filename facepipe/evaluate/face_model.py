"""The fit of the linear face model to people that it was not built from.

python -m facepipe.evaluate.face_model --data DATA --labels LABELS
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from facepipe import weights
from facepipe.dataset.split import split_items
from facepipe.device import set_threads
from facepipe.face import topology as at
from facepipe.face.fitting import Fit, fit
from facepipe.face.model import FaceModel, load_face_model

Floats = NDArray[np.float64]
REST_SHARE = 0.25
SPEED_FRAMES = 5000


def read_clips(data: Path, labels: Path) -> list[Floats]:
    """Return the teacher's points of each clip of an unseen person, (T, 478, 3) in pixels."""
    clips = []
    for item in split_items(data)[1]:
        if item.kind == "clip":
            with np.load(labels / "clips" / f"{item.path.stem}.npz") as label:
                clips.append(label["points"][label["valid"]].astype(np.float64))
    return clips


def rest_expression(fitted: Fit, points: Floats) -> Floats:
    """Return the mean (64,) expression of the quarter of the frames in which the mouth is most closed."""
    shapes = fitted.pose.undo(points)
    gap = np.linalg.norm(shapes[:, at.LIP_INNER_UPPER] - shapes[:, at.LIP_INNER_LOWER], axis=-1).mean(1)
    return fitted.expression[np.argsort(gap)[: max(3, int(REST_SHARE * len(gap)))]].mean(0)  # type: ignore[no-any-return]


def movement(model: FaceModel, expression: Floats) -> float:
    """Return the displacement of the points by (N, 64) expressions, root mean square, in outer-eye distances."""
    return float(np.sqrt(np.mean(np.sum(np.tensordot(expression, model.expression, 1) ** 2, axis=-1))))


def fit_speed(model: FaceModel, clip: Floats) -> float:
    """Return fitted frames per second on one long clip, best of three."""
    long = np.tile(clip, (SPEED_FRAMES // len(clip) + 1, 1, 1))[:SPEED_FRAMES]
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        fit(model, long, np.ones(len(long), bool))
        seconds.append(time.perf_counter() - began)
    return SPEED_FRAMES / min(seconds)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "labels"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    options = parser.parse_args()
    set_threads()
    model, clips = load_face_model(weights.find("face-model").path), read_clips(options.data, options.labels)
    fits = [fit(model, clip, np.ones(len(clip), bool)) for clip in clips]
    rests = np.stack([rest_expression(fitted, clip) for fitted, clip in zip(fits, clips, strict=True)])
    own = np.concatenate([fitted.expression - fitted.expression.mean(0) for fitted in fits])
    between, within = movement(model, rests - rests.mean(0)), movement(model, own)
    error = float(np.mean([fitted.residual.mean() for fitted in fits])) * 100
    speed = fit_speed(model, clips[0])
    table = Table("metric", "measured", "threshold", "met", title=f"Face model on {len(clips)} clips of unseen people")
    table.add_row("reprojection error, % of outer-eye distance", f"{error:.2f}", "<= 2", "yes" if error <= 2 else "no")
    table.add_row(
        "expression at rest, difference between people, % of outer-eye distance", f"{100 * between:.2f}", "", ""
    )
    table.add_row("expression in motion, within a person, % of outer-eye distance", f"{100 * within:.2f}", "", "")
    table.add_row("leakage: ratio of the two", f"{between / within:.2f}", "< 1", "yes" if between < within else "no")
    table.add_row("fitted frames per second", f"{speed:.0f}", ">= 2000", "yes" if speed >= 2000 else "no")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
