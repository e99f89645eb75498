"""Observations of the data folder's portraits, and of some frames of its clips, for the mapper's training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facepipe import weights
from facepipe.creation.observation import Observation, observe
from facepipe.dataset.split import Item, split_items
from facepipe.face.cropping import aligned_crop
from facepipe.face.detector import Detector
from facepipe.face.finding import Finder
from facepipe.face.fitting import fit
from facepipe.face.landmarker import Landmarker
from facepipe.face.matte import Matting
from facepipe.face.model import load_face_model
from facepipe.media.image import read_image
from facepipe.train.command import parser_of

Pixels = NDArray[np.uint8]
CLIP_SHARES = (0.2, 0.5, 0.8)
"""Places of the frames of a clip, as fractions of its length."""
FIELDS = ("picture", "matte", "inside", "points", "neutral")


@dataclass(frozen=True, eq=False)
class ObservedPortraits:
    """Observations with the names of their files and people."""

    observations: tuple[Observation, ...]
    files: tuple[str, ...]
    identities: tuple[str, ...]


class Observer:
    """Observes the most certain face of pictures."""

    def __init__(self) -> None:
        found = {name: weights.find(name).path for name in ("detector", "landmarker", "matting", "face-model")}
        self.landmarker = Landmarker(found["landmarker"])
        self.finder = Finder(Detector(found["detector"]), self.landmarker)
        self.matting = Matting(found["matting"])
        self.model = load_face_model(found["face-model"])

    def observe(self, picture: Pixels) -> Observation | None:
        """Return the observation of a picture (H, W, 3); None if it shows no face."""
        faces = self.finder.find(picture)
        if not faces:
            return None
        points = self.landmarker.locate([picture], [faces[0].crop]).points[0]
        points = self.landmarker.locate([picture], [aligned_crop(points)]).points[0].astype(np.float64)
        fitted = fit(self.model, points[None], np.ones(1, bool))
        return observe(picture, self.matting.matte(picture), points, self.model.neutral(fitted.identity)[0])


def pictures_of(item: Item) -> Iterator[Pixels]:
    """Yield a portrait, or some frames of a clip."""
    if item.kind != "clip":
        yield read_image(item.path)
        return
    clip = cv2.VideoCapture(str(item.path))
    count = int(clip.get(cv2.CAP_PROP_FRAME_COUNT))
    for share in CLIP_SHARES:
        clip.set(cv2.CAP_PROP_POS_FRAMES, int(share * count))
        good, frame = clip.read()
        if good:
            yield np.ascontiguousarray(frame[..., ::-1])


def write(items: Sequence[Item], path: Path) -> None:
    """Write the observations of items to an .npz."""
    observer = Observer()
    rows: list[Observation] = []
    files, identities = [], []
    for item in items:
        for picture in pictures_of(item):
            seen = observer.observe(picture)
            if seen is None:
                print(f"{item.path.name}: no face", flush=True)
                continue
            rows.append(seen)
            files.append(item.path.name)
            identities.append(item.identity)
    arrays = {name: np.stack([getattr(row, name) for row in rows]) for name in FIELDS}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, allow_pickle=False, files=np.array(files), identities=np.array(identities), **arrays)


def load(path: Path) -> ObservedPortraits:
    """Read the observations of `write`."""
    with np.load(path) as arrays:
        planes = {name: arrays[name] for name in FIELDS}
        names = [tuple(str(name) for name in arrays[key]) for key in ("files", "identities")]
    count = len(planes["picture"])
    rows = tuple(Observation(**{name: planes[name][row] for name in FIELDS}) for row in range(count))
    return ObservedPortraits(rows, names[0], names[1])


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line: OUT gets seen.npz and unseen.npz."""
    arguments = parser_of("observed-portraits", __doc__, "data", "out").parse_args(argv)
    cv2.setNumThreads(1)
    for name, items in zip(("seen", "unseen"), split_items(arguments.data), strict=True):
        write(items, arguments.out / f"{name}.npz")


if __name__ == "__main__":
    main()
