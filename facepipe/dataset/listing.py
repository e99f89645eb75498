"""The list of a data set, `dataset.jsonl`: one line per clip."""

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
    """train, test or unseen; the same for all clips of a person."""
    frames: int
    valid_frames: int
    """Number of frames with a face."""
    fps: str
    size_pixels: int
    sound: bool
    """Whether the clip has a sound track, and therefore sound features."""
    source: str
    """The raw video, relative to the folder of raw videos."""
    source_sha256: str
    first_frame: int
    """First frame in the raw video, at the frame rate of the clip."""
    box: tuple[int, int, int]
    """Left, top and side of the square that was cut out, in pixels of the raw video."""
    bfm: bool = False
    """Whether the clip also has coefficients in the space bfm."""
    face: int = 0
    """Index among the raw video's faces, in order of appearance."""

    @property
    def rate(self) -> Fraction:
        """Return the frames per second."""
        return Fraction(self.fps)


def path_of(dataset: Path, name: str, kind: str) -> Path:
    """Return the path of a clip's file; `kind` is clip, coefficients, track, features or bfm."""
    folder, suffix = FOLDERS[kind]
    return dataset / folder / f"{name}{suffix}"


def write_list(dataset: Path, entries: Iterable[Entry]) -> bool:
    """Write the list atomically, sorted by name; return False if it is unchanged."""
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
    """Return the clips of a data set, of all splits or of the given ones. Raises InputError if there is no list."""
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
    """Group clips by person."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.person, []).append(entry)
    return groups


def entry_of(row: Mapping[str, Any]) -> Entry:
    """Convert a JSON object to an entry. Raises KeyError or TypeError for other content."""
    return Entry(**{**row, "box": tuple(row["box"])})


def _entry(row: dict[str, Any]) -> Entry:
    if row.pop("format", None) != FORMAT or row.pop("version", None) != VERSION:
        raise ValueError(f"a line is not of format {FORMAT}, version {VERSION}")
    return entry_of(row)
