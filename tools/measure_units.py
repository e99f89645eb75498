"""Compare weights of face units and head angles with MediaPipe's landmarks of the same clips, and print the figures.

    facepipe coefficients CLIPS --space arkit52 -o UNITS
    teacher/bin/python tools/label_with_mediapipe.py DATA LABELS
    python tools/measure_units.py UNITS LABELS

CLIPS is a folder of clips, DATA a folder that contains it as `clips`. A true blink is a run of frames in which the
teacher's eye opening is below 40 % of the clip's median.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepipe import weights
from facepipe.avatar.units import UNITS
from facepipe.evaluate.signals import Followed, correlations, signals
from facepipe.face.model import FaceModel, load_face_model
from facepipe.spaces import arkit52
from facepipe.spaces.arkit52.coefficients import UnitCoefficients
from facepipe.spaces.files import load_coefficients

Floats = NDArray[np.floating]
BLINK_SHARE, CLOSED = 0.4, 0.8
# Frames that separate two blinks, and by which the teacher and our tracking may differ in time.
APART, SLACK = 3, 2
DECILES = 10


def unit(clip: UnitCoefficients, *names: str) -> Floats:
    """Return the mean weights (T,) of units."""
    return np.asarray(clip.weights[:, [UNITS.index(name) for name in names]].mean(1))


def followed(clip: UnitCoefficients, truth: Mapping[str, Floats], valid: NDArray[np.bool_]) -> Followed:
    """Return the teacher's signals and ours, in the frames in which both see a face."""
    blink = unit(clip, "eyeBlinkLeft", "eyeBlinkRight")
    pitch, yaw, roll = np.degrees(clip.angles).T
    got = {
        "pitch": pitch,
        "yaw": yaw,
        "roll": roll,
        "mouth opening": unit(clip, "jawOpen") - unit(clip, "mouthClose"),
        "eye opening": 1 - blink + 0.3 * unit(clip, "eyeWideLeft", "eyeWideRight"),
    }
    wanted = {name: np.asarray(rows[valid], np.float64) for name, rows in truth.items()}
    return Followed(wanted, {name: np.asarray(rows[valid], np.float64) for name, rows in got.items()}, 1.0)


def blinks(clip: UnitCoefficients, opening: Floats, valid: NDArray[np.bool_]) -> Iterator[float]:
    """Yield the largest weight of eyeBlink in each true blink."""
    frames = np.flatnonzero(valid & (opening < BLINK_SHARE * np.median(opening[valid])))
    for run in np.split(frames, np.flatnonzero(np.diff(frames) > APART) + 1):
        if len(run):
            yield float(unit(clip, "eyeBlinkLeft", "eyeBlinkRight")[max(0, run[0] - SLACK) : run[-1] + SLACK + 1].max())


def measure(units: Path, labels: Path, model: FaceModel) -> Iterator[str]:
    """Yield the lines of the report."""
    clips, closed, count = [], list[float](), 0
    for path in sorted(units.glob("*.npz")):
        clip = load_coefficients(path, space=arkit52.SPACE)
        assert isinstance(clip, UnitCoefficients)
        with np.load(labels / "clips" / path.name) as label:
            points, seen = label["points"], label["valid"]
        valid, truth = seen & clip.valid, signals(points, seen, model)
        clips.append(followed(clip, truth, valid))
        closed += blinks(clip, truth["eye opening"], valid)
        count += len(clip)
    yield f"{len(clips)} clips, {count} frames"
    for name, (whole, mean) in correlations(clips).items():
        yield f"{name}: correlation {whole:.3f} over all frames, {mean:.3f} mean of clips"
    yield f"true blinks: {len(closed)}, at least {CLOSED} closed {np.mean(np.array(closed) >= CLOSED):.1%}"
    wanted, got = (np.concatenate([getattr(one, side)["mouth opening"] for one in clips]) for side in ("wanted", "got"))
    tenths = np.array_split(got[np.argsort(wanted)], DECILES)
    yield f"jawOpen less mouthClose, by tenths of the mouth opening: {', '.join(f'{one.mean():.2f}' for one in tenths)}"


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("units", type=Path)
    parser.add_argument("labels", type=Path)
    args = parser.parse_args()
    print("\n".join(measure(args.units, args.labels, load_face_model(weights.find("face-model").path))))


if __name__ == "__main__":
    main()
