"""Persons in files, and splits of persons."""

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
# The people of VoxCeleb's test split.
VOXCELEB_TEST = re.compile(r"id10(2[7-9]\d|30\d)")


@dataclass(frozen=True)
class People:
    """Persons by file, from a table or from file names."""

    persons: Mapping[str, str] = field(default_factory=dict, hash=False)
    """By path relative to the folder of clips, or by file name; empty without a table."""
    splits: Mapping[str, str] = field(default_factory=dict, hash=False)
    """By person, from the table."""
    test_percent: float = 0.0
    """Percentage of persons in the split `test`, among those in neither table nor list."""
    unseen: frozenset[str] = field(default_factory=unseen_identities)
    """Persons in the split `unseen`, whatever the table says."""

    def person(self, name: PurePath) -> str:
        """Return the person in a file, whose name is relative to the folder of clips.

        A table has precedence; otherwise the person is the name before the first `#`, else the folder, else the file
        name. Raises InputError for a file that is not in the table.
        """
        if self.persons:
            for key in (name.as_posix(), name.name, name.with_suffix("").as_posix(), name.stem):
                if key in self.persons:
                    return self.persons[key]
            raise InputError(f"{name} is not in the table of people; add a row for it, or remove the file")
        before, mark, _ = name.stem.partition("#")
        return before if mark and before else name.parts[0] if len(name.parts) > 1 else name.stem

    def split(self, person: str) -> str:
        """Return the split of a person, which applies to all of their clips."""
        if person in self.unseen:
            return "unseen"
        if person in self.splits:
            return self.splits[person]
        if VOXCELEB_TEST.fullmatch(person):
            return "test"
        # Depends on the name alone, so that additional people do not change the split of others.
        draw = int.from_bytes(hashlib.sha256(person.encode("utf-8", "surrogatepass")).digest()[:4], "big") / 2**32
        return "test" if draw * 100 < self.test_percent else "train"


def find_people(clips: Path, table: Path | None, *, test_percent: float = 0.0) -> People:
    """Return the people of a folder of clips, from `table` or else from a sources.tsv in the folder or its parent."""
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
        raise InputError(f"{table} cannot be read as a table of people ({error}); check its name") from None
    rows = csv.DictReader(text.splitlines(), delimiter="\t" if "\t" in text.partition("\n")[0] else ",")
    if not {"file", "person"} <= set(rows.fieldnames or ()):
        raise UsageError(f"{table} has the columns {', '.join(rows.fieldnames or ())}, expected file and person")
    persons: dict[str, str] = {}
    splits: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        if not row["file"] or not row["person"]:
            raise UsageError(f"{table}, line {number}: the file or the person is empty; fill it in")
        persons[row["file"]] = row["person"]
        split = row.get("split") or ""
        if split and split not in SPLITS:
            raise UsageError(f"{table}, line {number}: the split is {split!r}, expected one of {', '.join(SPLITS)}")
        if split and splits.setdefault(row["person"], split) != split:
            other = splits[row["person"]]
            raise UsageError(f"{table}, line {number}: {row['person']} is in {split!r} here and in {other!r} before")
    if not persons:
        raise UsageError(f"{table} has no rows; add one per file, or omit --people")
    return People(persons, splits, test_percent)


def clip_name(person: str, name: PurePath) -> str:
    """Return the name of a clip: PERSON#FOLDER#FILE, without a repetition of the person at the start of the path."""
    parts = [*name.parent.parts, name.stem]
    if parts[0] == person:
        parts = parts[1:]
    elif parts[0].startswith(f"{person}#"):
        parts[0] = parts[0].removeprefix(f"{person}#")
    text = "#".join([person, *parts]).encode("utf-8", "backslashreplace").decode()
    return re.sub(r"[\s/\\\x00-\x1f\x7f]", "_", text)
