"""Judge `facepipe avatar create`: on drawings with known vectors, and on portraits that people have labelled.

    python -m tools.judge_avatars planted --count 200 --out planted/
    python -m tools.judge_avatars portraits --data DATA --out portraits/
    python -m tools.judge_avatars report --out planted/

Each avatar's result is one file in OUT, so that several processes may share the work (--part 0/2 and 1/2), and a run
goes on where it ended. `report` prints the figures. Portraits of DATA are those of tools/labels/unseen_portraits.tsv.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np

from facepipe import weights
from facepipe.avatar.avatar import build
from facepipe.avatar.compiling import open_head
from facepipe.avatar.framing import PLAIN, face_camera
from facepipe.avatar.head import Head
from facepipe.avatar.params import load_params, save_params
from facepipe.avatar.portrait import Portraitist, portrait_camera
from facepipe.avatar.rasteriser import render
from facepipe.avatar.sampling import sample
from facepipe.avatar.vector import AvatarVector
from facepipe.creation import IMITATOR, MAPPER
from facepipe.creation.creation import Creation, create
from facepipe.creation.models import open_models
from facepipe.creation.shape import deviation, known_people, neutral_points, normalised
from facepipe.creation.sheet import sheet_of
from facepipe.creation.tinting import drawn_colours
from facepipe.errors import FacepipeError
from facepipe.evaluate.avatars import (
    box_colour,
    delta_e,
    labelled_looks,
    looks_of,
    planted_agreement,
    share_picked,
)
from facepipe.media.image import read_image, write_image
from facepipe.train.observed_portraits import Observer

LABELS = Path(__file__).with_name("labels") / "unseen_portraits.tsv"
FIRST_SEED = 3_000_000
SAME_LEVELS = 0.05
"""Mean difference of two pictures, in levels of 255, below which they show the same. The least of two hair styles from
the front is 0.5."""


class Judge:
    """Makes avatars as `facepipe avatar create` does, without its job."""

    def __init__(self) -> None:
        cv2.setNumThreads(1)
        self.head, self.observer = open_head(), Observer()
        self.models = open_models({name: weights.find(name).path for name in (MAPPER, IMITATOR)})

    def made(self, picture: Any) -> tuple[Creation, float] | None:
        """Return the avatar of a picture and the seconds; None if there is no face."""
        began = perf_counter()
        seen = self.observer.observe(picture)
        if seen is None:
            return None
        return create(seen, self.models, self.head), perf_counter() - began


def planted(judge: Judge, seed: int, out: Path) -> dict[str, Any]:
    """Return the figures of a drawing with a known vector."""
    vector = sample(seed)
    avatar = build(vector, judge.head)
    picture = Portraitist(avatar, portrait_camera(avatar), 512).draw(background=PLAIN)
    result = judge.made(picture)
    if result is None:
        return {"failed": "no face"}
    made, seconds = result
    write_image(out / f"{seed}.png", sheet_of(made))
    conversion = made.conversion
    return {
        **{f"argmax_{name}": value for name, value in planted_agreement(conversion.argmax, vector).items()},
        **planted_agreement(conversion.vector, vector),
        **shown(conversion.vector, vector, judge.head),
        **{f"difference_{name}": value for name, value in made.differences.items()},
        "seconds": seconds,
        "wrong": [
            f"{type_}: {found} for {vector.choices[type_]}"
            for type_, found in conversion.vector.choices.items()
            if found != vector.choices[type_]
        ],
    }


def shown(found: AvatarVector, vector: AvatarVector, head: Head) -> dict[str, float]:
    """Return 1 for each type whose option is the planted one or cannot be told from it in the picture.

    A hat may hide hair, and hair ear rings: then the planted avatar with the found option has the same picture.
    """
    avatar = build(vector, head)
    camera, right = face_camera(avatar), {}
    picture = render(avatar.parts, camera, (256, 256), PLAIN).colour.astype(float)
    for type_, name in found.choices.items():
        right[f"shown_{type_}"] = 1.0
        if name != vector.choices[type_]:
            other = build(vector.changed(choices={type_: name}), head)
            drawn = render(other.parts, camera, (256, 256), PLAIN).colour
            right[f"shown_{type_}"] = float(np.abs(drawn - picture).mean() < SAME_LEVELS)
    return {**right, "shown_all": float(all(right.values()))}


def portrait(judge: Judge, data: Path, label: dict[str, str], out: Path) -> dict[str, Any]:
    """Return the figures of a labelled portrait."""
    picture = read_image(data / "portraits" / label["file"])
    try:
        result = judge.made(picture)
    except FacepipeError as error:
        return {"failed": str(error)}
    if result is None:
        return {"failed": "no face"}
    made, seconds = result
    stem, vector = Path(label["file"]).stem, made.conversion.vector
    write_image(out / f"{stem}.png", sheet_of(made))
    save_params(vector, out / f"{stem}.params.json", head_digest=judge.head.digest)
    drawn = drawn_colours(made.final, judge.head)
    found: dict[str, Any] = {"seconds": seconds, "valid": float(load_params(out / f"{stem}.params.json") == vector)}
    for name in ("skin", "hair"):
        wanted, seen = box_colour(picture, label.get(f"{name}_box", "")), drawn[name]
        if wanted is not None and seen is not None:
            found[f"ciede2000_{name}"], found[f"cie76_{name}"] = delta_e(wanted, seen.lab)
    looks, wanted_looks = looks_of(vector), labelled_looks(label)
    for name in ("glasses", "beard", "hair"):
        found[name] = float(getattr(looks, name) == getattr(wanted_looks, name))
    found["looks"] = f"{looks} for {wanted_looks}"
    found["choices"] = dict(vector.choices)
    found["avatar_points"] = normalised(neutral_points(vector, judge.head)).ravel().tolist()
    found["person_deviation"] = deviation(made.observation.neutral, known_people()).ravel().tolist()
    again = judge.observer.observe(Portraitist(made.final, portrait_camera(made.final), 512).draw(background=PLAIN))
    found["drawn_deviation"] = None if again is None else deviation(again.neutral, known_people()).ravel().tolist()
    return found


def work(options: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    """Yield the names of the avatars to make, with what makes each."""
    if options.kind == "planted":
        for seed in range(options.first, options.first + options.count):
            yield str(seed), lambda judge, seed=seed: planted(judge, seed, options.out)
        return
    with options.labels.open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table, delimiter="\t"))
    for label in rows[: options.count]:
        yield Path(label["file"]).stem, lambda judge, label=label: portrait(judge, options.data, label, options.out)


def report(out: Path) -> None:
    """Print the means of all figures, and what failed."""
    rows = {path.stem: json.loads(path.read_text()) for path in sorted(out.glob("*.result.json"))}
    failed = {name: row["failed"] for name, row in rows.items() if "failed" in row}
    good = [row for row in rows.values() if "failed" not in row]
    print(f"{len(rows)} avatars, failed: {failed or 'none'}")
    figures = {name for row in good for name, value in row.items() if isinstance(value, float)}
    for name in sorted(figures):
        values = [row[name] for row in good if name in row]
        print(f"{name:28} mean {np.mean(values):.4f}  median {np.median(values):.4f}  max {np.max(values):.3f}")
    if good and "avatar_points" in good[0]:
        _report_picks(good)
    for name, row in rows.items():
        if row.get("wrong") or row.get("looks"):
            print(name, row.get("wrong") or row["looks"])


def _report_picks(rows: list[dict[str, Any]]) -> None:
    people = np.array([row["person_deviation"] for row in rows])
    avatars = np.array([row["avatar_points"] for row in rows])
    picked = share_picked(avatars - avatars.mean(0), people - people.mean(0), among=4, draws=20, seed=1)
    print(f"own portrait among 4, by the engine's points: {picked:.3f}")
    seen = [k for k, row in enumerate(rows) if row["drawn_deviation"]]
    drawn = np.array([rows[k]["drawn_deviation"] for k in seen])
    picked = share_picked(drawn - drawn.mean(0), people[seen] - people[seen].mean(0), among=4, draws=20, seed=1)
    print(f"own portrait among 4, by landmarks of its picture: {picked:.3f}")


def main() -> None:
    """Make and judge avatars, or print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("planted", "portraits", "report"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="folder with portraits/")
    parser.add_argument("--labels", type=Path, default=LABELS)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--first", type=int, default=FIRST_SEED, help="seed of the first planted avatar")
    parser.add_argument("--part", default="0/1", help="which part of the work, such as 1/2")
    options = parser.parse_args()
    if options.kind == "report":
        report(options.out)
        return
    options.out.mkdir(parents=True, exist_ok=True)
    own, parts = (int(value) for value in options.part.split("/"))
    judge = Judge()
    for number, (name, make) in enumerate(work(options)):
        path = options.out / f"{name}.result.json"
        if number % parts == own and not path.exists():
            found = make(judge)
            path.write_text(json.dumps(found))
            print(name, {key: value for key, value in found.items() if isinstance(value, float | str)}, flush=True)


if __name__ == "__main__":
    main()
