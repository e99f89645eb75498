"""How faithfully a renderer repeats a clip from its first frame, on people that no training saw.

    python -m facepipe.evaluate.reenactment --data DATA --teacher TEACHER/bin/python --out OUT

The result of each clip is labelled by the teacher (tools/label_with_mediapipe.py, run by the TEACHER interpreter), and
its landmarks are compared with the teacher's landmarks of the driver. OUT receives the results and contact sheets.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from facepipe import weights
from facepipe.device import set_threads
from facepipe.face import topology as at
from facepipe.face.coefficients import from_fit
from facepipe.face.cropping import sample, transform_points
from facepipe.face.detector import Detector
from facepipe.face.fitting import fit
from facepipe.face.landmarker import Landmarker
from facepipe.face.model import FaceModel, load_face_model
from facepipe.face.pose import angles_of
from facepipe.face.track import crop_around
from facepipe.face.tracking import Tracker
from facepipe.media.contact import contact_sheet
from facepipe.media.decode import decode_frames
from facepipe.media.encode import VideoWriter
from facepipe.media.image import write_image
from facepipe.media.probe import probe_video
from facepipe.motion.retargeting import Retargeting, retarget
from facepipe.renderers import RENDERERS, Portrait
from facepipe.train.split import Item, split_items

Picture = NDArray[np.uint8]
Floats = NDArray[np.float64]
MOST_FRAMES, SHEET_FRAMES = 100, 8
TEACHER_TOOL = Path(__file__).parents[2] / "tools" / "label_with_mediapipe.py"
BARS = {"yaw": 0.95, "pitch": 0.95, "roll": 0.95, "mouth opening": 0.85, "eye opening": 0.6}


@dataclass(frozen=True)
class Run:
    """One clip repeated from its first frame."""

    item: Item
    frames: NDArray[np.intp]
    """Which frames of the clip were rendered."""
    psnr: float
    """Of the result against the driver, in dB, frame 0 left out."""
    psnr_unmoved: float
    """Of the source standing still, likewise."""


def repeat_clip(item: Item, model: FaceModel, tracker: Tracker, renderer: str, size: int, out: Path) -> Run | None:
    """Track, fit, render and write one clip; None where its first frame shows no face."""
    info = probe_video(item.path)
    pictures = list(itertools.islice(decode_frames(item.path, info=info), 400))
    track = tracker.track(pictures)
    if not track.valid[0]:
        return None
    frame_size = (info.width, info.height)
    crop = crop_around(track.points[track.valid], frame_size)
    coefficients = from_fit(
        fit(model, track.points, track.valid), track.valid, fps=info.fps, crop=crop, picture_size=frame_size
    )
    source, frames = coefficients.rows(0, 1), np.unique(np.linspace(0, len(pictures) - 1, MOST_FRAMES).astype(int))
    crops = [sample(pictures[index], crop, size) for index in frames]
    points = transform_points(track.points[0].astype(np.float64), crop.matrix(size))
    portrait = Portrait(crops[0], points, source.pose(size), source.identity, source.expression[0])
    motion = retarget(source, coefficients, Retargeting(reference="first", scale="driver"))
    moved = motion.with_motion(*(rows[frames] for rows in (motion.expression, motion.angles, motion.translation)))
    results = list(RENDERERS[renderer](model, portrait).frames(moved.expression, moved.pose(size)))
    for folder, rows in ((out / "result" / "clips", results), (out / "driver" / "clips", crops)):
        folder.mkdir(parents=True, exist_ok=True)
        with VideoWriter(folder / f"{item.path.stem}.mp4", size=(size, size), fps=info.fps, quality=95) as writer:
            for row in rows:
                writer.write(row)
    write_sheet(out / f"{item.path.stem}.png", crops, results)
    return Run(item, frames, mean_psnr(results, crops), mean_psnr([crops[0]] * len(crops), crops))


def write_sheet(path: Path, crops: list[Picture], results: list[Picture]) -> None:
    """Write a few frames of the driver above those of the result."""
    chosen = np.linspace(0, len(crops) - 1, SHEET_FRAMES).astype(int)
    write_image(
        path,
        contact_sheet(
            [*(crops[i] for i in chosen), *(results[i] for i in chosen)], columns=SHEET_FRAMES, tile_height=192
        ),
    )


def mean_psnr(results: list[Picture], truth: list[Picture]) -> float:
    """Return the mean PSNR in dB over all frames but the first."""
    errors = [np.mean((a.astype(np.float64) - b) ** 2) for a, b in zip(results[1:], truth[1:], strict=True)]
    return float(np.mean(10 * np.log10(255**2 / np.maximum(errors, 1e-6))))


def signals(points: NDArray[np.floating], valid: NDArray[np.bool_], model: FaceModel) -> dict[str, Floats]:
    """Return what is compared, one number a frame: angles in degrees, gaps of lips and lids in outer-eye distances."""
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


def compared(runs: list[Run], out: Path, model: FaceModel) -> tuple[dict[str, tuple[float, float]], float]:
    """Return for each signal the correlation over all frames (each clip's mean taken away) and the mean over clips.

    Beside it the share of frames in which the teacher found a face in the result.
    """
    pooled: dict[str, list[tuple[Floats, Floats]]] = {name: [] for name in BARS}
    seen = []
    for run in runs:
        (truth, found), (made, there) = (teachers_points(out, role, run.item) for role in ("driver", "result"))
        both = found & there
        seen.append(there.mean())
        if both.sum() < 10:
            continue
        wanted, got = signals(truth, both, model), signals(made, both, model)
        for name, pairs in pooled.items():
            pairs.append((wanted[name][both] - wanted[name][both].mean(), got[name][both] - got[name][both].mean()))
    figures = {}
    for name, pairs in pooled.items():
        wanted_all, got_all = (np.concatenate(side) for side in zip(*pairs, strict=True))
        each = [np.corrcoef(a, b)[0, 1] for a, b in pairs]
        figures[name] = (float(np.corrcoef(wanted_all, got_all)[0, 1]), float(np.mean(each)))
    return figures, float(np.mean(seen))


def label(out: Path, teacher: Path) -> None:
    """Have the teacher label the driver's crops and the results."""
    for role in ("driver", "result"):
        command = [str(teacher), str(TEACHER_TOOL), str(out / role), str(out / "labels" / role)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def teachers_points(out: Path, role: str, item: Item) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return what the teacher saw: (T, 478, 3) points and in which frames."""
    with np.load(out / "labels" / role / "clips" / f"{item.path.stem}.npz") as labels:
        return labels["points"], labels["valid"]


def rows_of(
    runs: list[Run], figures: dict[str, tuple[float, float]], seen: float
) -> Iterator[tuple[str, str, str, str]]:
    """Yield the rows of the table."""
    for name, (pooled, each) in figures.items():
        yield (
            f"correlation of {name} (mean over clips {each:.3f})",
            f"{pooled:.3f}",
            f">= {BARS[name]}",
            "yes" if pooled >= BARS[name] else "no",
        )
    psnr, unmoved = (float(np.mean([getattr(run, name) for run in runs])) for name in ("psnr", "psnr_unmoved"))
    yield (
        "PSNR, dB, against the unmoved source's",
        f"{psnr:.2f}",
        f">= {unmoved:.2f}",
        "yes" if psnr >= unmoved else "no",
    )
    better = np.mean([run.psnr >= run.psnr_unmoved for run in runs]) * 100
    yield "clips on which it is above the unmoved source, %", f"{better:.0f}", "", ""
    yield "frames in which the teacher finds a face, %", f"{100 * seen:.1f}", "", ""


def main() -> None:
    """Render, judge and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "teacher", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--renderer", default="mesh", choices=sorted(RENDERERS))
    parser.add_argument("--size", type=int, default=256)
    options = parser.parse_args()
    set_threads()
    model = load_face_model(weights.find("face-model").path)
    detector, landmarker = Detector(weights.find("detector").path), Landmarker(weights.find("landmarker").path)
    runs = []
    for item in split_items(options.data)[1]:
        if item.kind == "clip":
            run = repeat_clip(item, model, Tracker(detector, landmarker), options.renderer, options.size, options.out)
            runs += [run] if run else []
            print(
                f"{item.path.stem}: "
                + (f"{run.psnr:.2f} dB, unmoved {run.psnr_unmoved:.2f} dB" if run else "no face in its first frame"),
                flush=True,
            )
    label(options.out, options.teacher)
    figures, seen = compared(runs, options.out, model)
    table = Table(
        "figure",
        "measured",
        "bar",
        "met",
        title=f"{options.renderer} at {options.size} pixels: {len(runs)} clips of unseen people from their first frame",
    )
    for row in rows_of(runs, figures, seen):
        table.add_row(*row)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
