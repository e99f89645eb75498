"""Annotation files of VoxCeleb, found by the names of raw videos."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from facepipe.errors import InputError


@dataclass(frozen=True)
class Annotations:
    """A folder with one text file per utterance, in a folder named as the raw video: FOLDER/ID/VIDEO/00001.txt."""

    folder: Path

    def of(self, name: Path) -> list[Path]:
        """Return the annotation files of a raw video, whose name is relative to the folder of the raw videos.

        Candidates are, in this order: its own folder, a file of its name, a folder of its name anywhere below. VoxCeleb
        sorts annotations by person, and raw videos may be sorted otherwise. Raises InputError if there are none.
        """
        stem = name.with_suffix("")
        for texts in (
            sorted((self.folder / stem).glob("*.txt")),
            [path for path in [(self.folder / stem).with_name(stem.name + ".txt")] if path.is_file()],
            self._by_folder.get(stem.name, []),
        ):
            if texts:
                return texts
        raise InputError(f"{name}: {self.folder} has no annotation of it; expected {self.folder / stem}/*.txt")

    @cached_property
    def _by_folder(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for path in sorted(self.folder.rglob("*.txt")):
            found.setdefault(path.parent.name, []).append(path)
        return found
