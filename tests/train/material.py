"""A tiny data folder with labels: painted heads in many poses, as clips and portraits of a few people."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepipe.dataset.split import unseen_identities
from facepipe.face.pose import Similarity, rotation_of
from facepipe.media.encode import VideoWriter
from facepipe.media.image import write_image
from facepipe.train.faces import FaceCache, around_face
from tests.face.faces import face_model
from tests.renderers.painted import paint

SIDE, FRAMES = 160, 6


def face_points(count: int, *, seed: int, person: int) -> NDArray[np.float32]:
    """(count, 478, 3) points of one moving person, in pixels of a picture of SIDE."""
    random, who = np.random.default_rng(seed), np.random.default_rng(person)
    pose = Similarity(
        random.uniform(30, 45, count),
        rotation_of(random.normal(0, 0.25, (count, 3))),
        random.uniform((65, 65, 0), (95, 95, 0), (count, 3)),
    )
    shapes = face_model().shape(who.normal(size=80), random.normal(size=(count, 64)))
    return np.asarray(pose.apply(shapes), np.float32)


def cache_of(items: int = 3, frames: int = 4, size_pixels: int = 128, ratio: float = 2.2) -> FaceCache:
    """A cache in memory; the last item is a portrait with one frame."""
    pictures, points, numbers, portrait = [], [], [], []
    for item in range(items):
        for face in face_points(1 if item == items - 1 else frames, seed=item, person=item):
            cut, points_in_crop = around_face(
                paint(face.astype(float), SIDE), face, ratio=ratio, size_pixels=size_pixels
            )
            pictures.append(cut)
            points.append(points_in_crop)
            numbers.append(item)
            portrait.append(item == items - 1)
    return FaceCache(np.stack(pictures), np.stack(points), np.array(numbers, np.int32), np.array(portrait))


def make_data(folder: Path, *, pictures: bool = True) -> tuple[Path, Path]:
    """Write clips, portraits, sources.tsv and labels of two seen people and an unseen one; return DATA and LABELS."""
    data, labels = folder / "data", folder / "labels"
    rows = ["name\tkind\tfps\thas_audio\tnotes"]
    people = ("id900", "id901", min(one for one in unseen_identities() if one.startswith("id")))
    for number, person in enumerate(people):
        for kind, place, name in (("clip", "clips", f"c{number}.mp4"), ("portrait", "portraits", f"p{number}.png")):
            for root in (data, labels):
                (root / place).mkdir(parents=True, exist_ok=True)
            count = FRAMES if kind == "clip" else 1
            points = face_points(count, seed=2 * number + (kind == "clip"), person=number)
            valid = np.ones(count, bool)
            if kind == "clip":
                valid[1] = False
            np.savez((labels / place / name).with_suffix(".npz"), points=points, valid=valid)
            rows.append(f"{name}\t{kind}\t25\tno\t1 s; identity {person}; one face")
            if pictures:
                frames = [paint(face.astype(float), SIDE) for face in points]
                if kind == "portrait":
                    write_image(data / place / name, frames[0])
                else:
                    with VideoWriter(data / place / name, size=(SIDE, SIDE), fps=Fraction(25)) as writer:
                        for frame in frames:
                            writer.write(frame)
    (data / "sources.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return data, labels
