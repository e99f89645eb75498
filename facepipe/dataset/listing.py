"""The list of a data set, `dataset.jsonl`: one line a clip, as the trainings read it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from facepipe.errors import InputError
from facepipe.media.files import draft_of

FORMAT, VERSION = "facepipe-dataset", 1
LIST = "dataset.jsonl"
FOLDERS = {
    "clip": ("clips", ".mp4"),
    "coefficients": ("coefficients", ".npz"),
    "track": ("coefficients", ".track.npz"),
    "features": ("features", ".npz"),
    "bfm": ("coefficients-bfm", ".npz"),
}


@dataclass(frozen=True)
class Entry:
    """One clip of a data set."""

    id: str
    person: str
    split: str
    """train, test or unseen: one for all clips of a person."""
    frames: int
    valid_frames: int
    """In how many of them a face was found."""
    fps: str
    size_pixels: int
    sound: bool
    """Whether the clip has a sound track, and so features."""
    source: str
    """The raw video, relative to the folder that was given."""
    source_sha256: str
    first_frame: int
    """Of the raw video at the rate of the clip."""
    box: tuple[int, int, int]
    """Left, top and side of what was cut out, in pixels of the raw video."""
    bfm: bool = False
    """Whether it has coefficients in the space bfm too."""
    face: int = 0
    """Which of the raw video's faces, in the order in which they appear."""

    @property
    def rate(self) -> Fraction:
        """Return the frames per second."""
        return Fraction(self.fps)


def path_of(dataset: Path, name: str, kind: str) -> Path:
    """Return where a clip's file of a kind (clip, coefficients, track, features, bfm) lies."""
    folder, suffix = FOLDERS[kind]
    return dataset / folder / f"{name}{suffix}"


def write_list(dataset: Path, entries: Iterable[Entry]) -> bool:
    """Write the list, sorted by name, at once; return False if it stood there already."""
    head = {"format": FORMAT, "version": VERSION}
    rows = [{**head, **asdict(entry)} for entry in sorted(entries, key=lambda entry: entry.id)]
    text = "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows)
    path = dataset / LIST
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    with draft_of(path) as draft:
        draft.write_text(text, encoding="utf-8")
    return True


def read_list(dataset: Path, *splits: str) -> list[Entry]:
    """Return the clips of a data set, of the given splits or of all. Raises InputError where there is none."""
    path = dataset / LIST
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        entries = [_entry(row) for row in rows]
    except FileNotFoundError:
        raise InputError(f"{dataset} holds no {LIST}; `facepipe dataset build CLIPS {dataset}` makes one") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error}); make it again with `facepipe dataset build`") from error
    return [entry for entry in entries if not splits or entry.split in splits]


def by_person(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """Group clips by who is seen in them."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.person, []).append(entry)
    return groups


def entry_of(row: Mapping[str, Any]) -> Entry:
    """Return the clip that a JSON object describes. Raises KeyError or TypeError on anything else."""
    return Entry(**{**row, "box": tuple(row["box"])})


def _entry(row: dict[str, Any]) -> Entry:
    if row.pop("format", None) != FORMAT or row.pop("version", None) != VERSION:
        raise ValueError(f"a line is not of format {FORMAT}, version {VERSION}")
    return entry_of(row)
