"""The clips and portraits of the data folder, split by identity."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from facepipe.errors import InputError
from facepipe.weights import embedded_folder


@dataclass(frozen=True)
class Item:
    """One clip or portrait of the data folder."""

    path: Path
    kind: str
    """clip, portrait, or portrait-art (a painting, a sculpture, a cartoon)."""
    identity: str
    fps: str
    has_sound: bool


def unseen_identities() -> frozenset[str]:
    """Return the identities that are reserved for evaluation and excluded from training."""
    text = (embedded_folder() / "unseen_identities.txt").read_text(encoding="utf-8")
    return frozenset(line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))


def read_items(data: Path) -> list[Item]:
    """Return the clips and portraits of DATA in the order of its `sources.tsv`. Raises InputError if there is none."""
    if not (data / "sources.tsv").is_file():
        raise InputError(
            f"{data} has no sources.tsv, which lists clips and portraits. Give the data folder with --data."
        )
    folders = {"clip": "clips", "portrait": "portraits", "portrait-art": "portraits"}
    items = []
    with (data / "sources.tsv").open(encoding="utf-8-sig", newline="") as table:
        for row in csv.DictReader(table, delimiter="\t"):
            if row["kind"] not in folders:
                continue
            identity = re.search(r"identity (id\d+)", row["notes"])
            items.append(
                Item(
                    path=data / folders[row["kind"]] / row["name"],
                    kind=row["kind"],
                    identity=identity.group(1) if identity else row["name"],
                    fps=row["fps"],
                    has_sound=row["has_audio"] == "yes",
                )
            )
    return items


def split_items(data: Path) -> tuple[list[Item], list[Item]]:
    """Return the items for training and those of unseen identities."""
    unseen = unseen_identities()
    items = read_items(data)
    return [item for item in items if item.identity not in unseen], [item for item in items if item.identity in unseen]
