"""Who is seen in which file, and which split a person belongs to."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from facepipe.dataset.split import read_items, unseen_identities
from facepipe.errors import InputError, UsageError

SPLITS = ("train", "test", "unseen")
# VoxCeleb's own test people.
VOXCELEB_TEST = re.compile(r"id10(2[7-9]\d|30\d)")


@dataclass(frozen=True)
class People:
    """Persons by file, from a table or from names."""

    persons: Mapping[str, str] = field(default_factory=dict, hash=False)
    """By path below the folder of the clips, or by file name; empty where there is no table."""
    splits: Mapping[str, str] = field(default_factory=dict, hash=False)
    """By person, what the table says."""
    test_percent: float = 0.0
    """How many of a hundred persons go to the split `test` where neither table nor list says."""
    unseen: frozenset[str] = field(default_factory=unseen_identities)
    """Who is in the split `unseen` whatever the table says."""

    def person(self, name: PurePath) -> str:
        """Return who is seen in a file, named relative to the folder of the clips.

        The table decides; without one the name before the first `#`, else the folder, else the file is a person.
        Raises InputError for a file that the table lacks.
        """
        if self.persons:
            for key in (name.as_posix(), name.name, name.with_suffix("").as_posix(), name.stem):
                if key in self.persons:
                    return self.persons[key]
            raise InputError(f"{name} is not in the table of people; add a row for it, or take the file away")
        before, mark, _ = name.stem.partition("#")
        return before if mark and before else name.parts[0] if len(name.parts) > 1 else name.stem

    def split(self, person: str) -> str:
        """Return the split of a person: all clips of one go the same way."""
        if person in self.unseen:
            return "unseen"
        if person in self.splits:
            return self.splits[person]
        if VOXCELEB_TEST.fullmatch(person):
            return "test"
        # By the name alone, so that more people later move nobody.
        draw = int.from_bytes(hashlib.sha256(person.encode("utf-8", "surrogatepass")).digest()[:4], "big") / 2**32
        return "test" if draw * 100 < self.test_percent else "train"


def find_people(clips: Path, table: Path | None, *, test_percent: float = 0.0) -> People:
    """Return the people of a folder of clips: from the given table, else from a sources.tsv there or above."""
    if table is not None:
        return _read_table(table, test_percent)
    for folder in (clips, clips.absolute().parent):
        if (folder / "sources.tsv").is_file():
            persons = {item.path.name: item.identity for item in read_items(folder)}
            return People(persons, test_percent=test_percent)
    return People(test_percent=test_percent)


def _read_table(table: Path, test_percent: float) -> People:
    try:
        text = table.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise InputError(f"{table} cannot be read as a table of people ({error}); check the name") from None
    rows = csv.DictReader(text.splitlines(), delimiter="\t" if "\t" in text.partition("\n")[0] else ",")
    if not {"file", "person"} <= set(rows.fieldnames or ()):
        raise UsageError(f"{table} has the columns {', '.join(rows.fieldnames or ())}; file and person are needed")
    persons: dict[str, str] = {}
    splits: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        if not row["file"] or not row["person"]:
            raise UsageError(f"{table}, line {number}: lacks a file or a person; fill it in")
        persons[row["file"]] = row["person"]
        split = row.get("split") or ""
        if split and split not in SPLITS:
            raise UsageError(f"{table}, line {number}: the split is {split!r}, expected one of {', '.join(SPLITS)}")
        if split and splits.setdefault(row["person"], split) != split:
            other = splits[row["person"]]
            raise UsageError(f"{table}, line {number}: {row['person']} is in {split!r} here and in {other!r} before")
    if not persons:
        raise UsageError(f"{table} has no rows; write one for each file, or leave --people away")
    return People(persons, splits, test_percent)


def clip_name(person: str, name: PurePath) -> str:
    """Return the name of a clip: PERSON#FOLDER#FILE, where what the person's name already says is said once."""
    parts = [*name.parent.parts, name.stem]
    if parts[0] == person:
        parts = parts[1:]
    elif parts[0].startswith(f"{person}#"):
        parts[0] = parts[0].removeprefix(f"{person}#")
    text = "#".join([person, *parts]).encode("utf-8", "backslashreplace").decode()
    return re.sub(r"[\s/\\\x00-\x1f\x7f]", "_", text)
