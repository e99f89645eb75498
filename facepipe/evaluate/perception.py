"""The accuracy of the detector and the landmarker, on people that no training used.

    python -m facepipe.evaluate.perception --data DATA --labels LABELS

LABELS is the output of tools/label_with_mediapipe.py for DATA: the teacher's points are the truth.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import skimage
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from facepipe import weights
from facepipe.dataset.split import Item, split_items
from facepipe.device import set_threads
from facepipe.face.cropping import box_of, outer_eye_distance
from facepipe.face.detector import Detector, overlap
from facepipe.face.finding import Finder
from facepipe.face.landmarker import Landmarker
from facepipe.face.tracking import Tracker
from facepipe.media.decode import decode_frames
from facepipe.media.encode import VideoWriter
from facepipe.media.image import read_image

Picture = NDArray[np.uint8]
FACE_SIZES_PIXELS = (40, 60, 100, 160)
DETECTION_FRAMES_PER_CLIP = 4
STILL_FRAMES, STILL_PORTRAITS, STILL_NOISE = 25, 20, 2.0
# Pictures of scikit-image without a face (its coins show heads).
FACE_FREE = (
    "brick",
    "cell",
    "chelsea",
    "clock_motion",
    "coffee",
    "grass",
    "gravel",
    "horse",
    "hubble_deep_field",
    "ihc",
    "moon",
    "page",
    "rocket",
    "text",
    "motorcycle_left",
    "motorcycle_right",
    "retina",
)


@dataclass(frozen=True)
class Metric:
    """A measured value and its threshold."""

    name: str
    value: float
    threshold: float
    at_most: bool
    count: int
    """Number of cases."""

    @property
    def met(self) -> bool:
        """Whether the threshold is reached."""
        return self.value <= self.threshold if self.at_most else self.value >= self.threshold


class Judge:
    """Runs the embedded networks over the unseen people of a data folder."""

    def __init__(self, data: Path, labels: Path) -> None:
        self.items, self.labels = split_items(data)[1], labels
        self.detector = Detector(weights.find("detector").path)
        self.landmarker = Landmarker(weights.find("landmarker").path)
        self.finder = Finder(self.detector, self.landmarker)

    def truth(self, item: Item) -> NDArray[np.float32]:
        """Return the teacher's (T, 478, 3) points."""
        folder = "clips" if item.kind == "clip" else "portraits"
        with np.load(self.labels / folder / f"{item.path.stem}.npz") as label:
            return np.asarray(label["points"], np.float32)

    def tracker(self) -> Tracker:
        """Return a new tracker."""
        return Tracker(self.detector, self.landmarker)

    def point_errors(self, kind: str) -> NDArray[np.float64]:
        """Return per item the points' mean distance over the outer-eye distance; a missed face counts as 1."""
        errors = []
        for item in (item for item in self.items if item.kind == kind):
            truth = self.truth(item)
            frames = decode_frames(item.path) if kind == "clip" else iter([read_image(item.path)])
            track = self.tracker().track(frames)
            count = min(len(truth), len(track.valid))
            away = np.linalg.norm(track.points[:count, :, :2] - truth[:count, :, :2], axis=-1).mean(1)
            errors.append(np.where(track.valid[:count], away / outer_eye_distance(truth[:count, :, :2]), 1.0).mean())
        return np.array(errors)

    def pictures(self) -> Iterator[tuple[Picture, NDArray[np.floating]]]:
        """Yield pictures of unseen people with the box of the face."""
        for item in self.items:
            truth = self.truth(item)
            if item.kind != "clip":
                yield read_image(item.path), box_of(truth)[0]
                continue
            wanted = set(np.linspace(0, len(truth) - 1, DETECTION_FRAMES_PER_CLIP).astype(int).tolist())
            for index, frame in enumerate(decode_frames(item.path)):
                if index in wanted:
                    yield frame, box_of(truth)[index]

    def recalls(self) -> dict[str, tuple[int, int]]:
        """Return the numbers of found and of all faces, at their own size and reduced to given sizes (IoU 0.5)."""
        counts = {name: [0, 0] for name in ("own size", *(f"{size} pixels" for size in FACE_SIZES_PIXELS))}
        for picture, box in self.pictures():
            longer = float(max(box[2] - box[0], box[3] - box[1]))
            for name, size in zip(counts, (longer, *FACE_SIZES_PIXELS), strict=True):
                scale = size / longer
                if scale > 1 or size < FACE_SIZES_PIXELS[0]:
                    continue
                shape = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
                small = cv2.resize(picture, shape, interpolation=cv2.INTER_AREA) if scale < 1 else picture
                found = self.finder.find(np.asarray(small, np.uint8))
                counts[name][0] += any(overlap(one.box, box * scale) >= 0.5 for one in found)
                counts[name][1] += 1
        return {name: (found, every) for name, (found, every) in counts.items()}

    def false_faces(self) -> tuple[int, int]:
        """Return the numbers of false faces and of face-free pictures: scikit-image's, and surroundings of heads."""
        false, count = 0, 0
        beside = (rest for whole, box in self.pictures() for rest in surroundings(whole, box))
        for picture in (*bundled_pictures(), *beside):
            false += len(self.finder.find(picture))
            count += 1
        return false, count

    def jitter(self) -> NDArray[np.float64]:
        """Return per portrait the mean step of the points between frames of a still with sensor noise, as video."""
        random, steps = np.random.default_rng(0), []
        portraits = [item for item in self.items if item.kind == "portrait"][:STILL_PORTRAITS]
        with tempfile.TemporaryDirectory() as folder:
            for item in portraits:
                picture, path = read_image(item.path), Path(folder) / "still.mp4"
                with VideoWriter(path, size=(picture.shape[1], picture.shape[0]), fps=Fraction(25)) as writer:
                    for _ in range(STILL_FRAMES):
                        noise = random.standard_normal(picture.shape) * STILL_NOISE
                        writer.write(np.clip(picture + noise, 0, 255).astype(np.uint8))
                track = self.tracker().track(decode_frames(path))
                path.unlink()
                if track.valid.all():
                    displacement = np.linalg.norm(np.diff(track.points[..., :2], axis=0), axis=-1).mean()
                    steps.append(displacement / outer_eye_distance(track.points[0, :, :2]))
        return np.array(steps)


def bundled_pictures() -> list[Picture]:
    """Return scikit-image's own face-free pictures as RGB, those that are installed with it."""
    folder, pictures = Path(skimage.__file__).parent / "data", []
    for path in sorted(folder.iterdir()):
        if path.stem in FACE_FREE and path.suffix in (".png", ".jpg", ".gif", ".tif"):
            pictures.append(read_image(path))
    return pictures


def surroundings(picture: Picture, box: NDArray[np.floating]) -> list[Picture]:
    """Return the parts of a picture left of, right of and below a head, if they are 48 pixels wide and high."""
    height, width = picture.shape[:2]
    side = float(max(box[2] - box[0], box[3] - box[1]))
    left, right = int(max(0, box[0] - 0.25 * side)), int(min(width, box[2] + 0.25 * side))
    bottom = int(min(height, box[3] + 0.1 * side))
    parts = [picture[:, :left], picture[:, right:], picture[bottom:, :]]
    return [np.ascontiguousarray(part) for part in parts if min(part.shape[:2]) >= 48]


def metrics(judge: Judge) -> Iterator[Metric]:
    """Measure and yield one metric after another."""
    for kind, threshold in (("clip", 3.5), ("portrait", 4.5), ("portrait-art", 4.5)):
        errors = judge.point_errors(kind) * 100
        yield Metric(
            f"mean point error, {kind}s, % of outer-eye distance", float(errors.mean()), threshold, True, len(errors)
        )
    for name, (found, every) in judge.recalls().items():
        yield Metric(f"recall at IoU 0.5, faces at {name}, %", 100 * found / every, 98, False, every)
    false, count = judge.false_faces()
    yield Metric("false faces per 200 face-free pictures", 200 * false / count, 1, True, count)
    steps = judge.jitter() * 100
    yield Metric(
        "step between frames of a still face, % of outer-eye distance", float(steps.mean()), 0.4, True, len(steps)
    )


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "labels"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    options = parser.parse_args()
    set_threads()
    table = Table("metric", "measured", "threshold", "met", "cases", title="Face perception on unseen people")
    for row in metrics(Judge(options.data, options.labels)):
        threshold = f"{'<=' if row.at_most else '>='} {row.threshold:g}"
        table.add_row(row.name, f"{row.value:.2f}", threshold, "yes" if row.met else "no", str(row.count))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
