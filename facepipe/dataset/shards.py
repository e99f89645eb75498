"""Export to WebDataset shards: tar files with a fixed number of clips, one series per split."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from facepipe.dataset.listing import FOLDERS, Entry, path_of
from facepipe.engine.digest import DigestCache
from facepipe.errors import InputError
from facepipe.media.files import check_output, draft_of

INDEX = "shards.json"
FORMAT, VERSION = "facepipe-shards", 1
CLIPS_PER_SHARD = 256
# Suffix of each member of a sample.
SUFFIXES = {
    "clip": "mp4",
    "coefficients": "coefficients.npz",
    "track": "track.npz",
    "features": "features.npz",
    "bfm": "bfm.npz",
}


@dataclass(frozen=True)
class Shard:
    """One tar file and its clips."""

    name: str
    entries: Sequence[Entry]


def planned_shards(entries: Sequence[Entry], clips: int = CLIPS_PER_SHARD) -> Iterator[Shard]:
    """Distribute the clips of each split over shards.

    Clips are ordered by the digest of their names, so that every shard is a random sample with mixed people.
    """
    for split in sorted({entry.split for entry in entries}):
        own = sorted((entry for entry in entries if entry.split == split), key=lambda entry: _digest(entry.id))
        for number, first in enumerate(range(0, len(own), clips)):
            yield Shard(f"{split}-{number:06}.tar", own[first : first + clips])


def write_shard(dataset: Path, shard: Shard, out: Path, digests: DigestCache, *, overwrite: bool = False) -> bool:
    """Write a shard and add it to the index; return False if it is up to date.

    The same clips give the same bytes. Raises InputError if a file of a clip is missing, or if a tar file exists that
    is not in the index.
    """
    path, index = out / shard.name, _read_index(out)
    key = _digest(json.dumps([_described(dataset, entry, digests) for entry in shard.entries]))
    if path.exists() and index.get(shard.name) == key:
        return False
    if path.exists() and shard.name not in index and not overwrite:
        raise InputError(f"{path} exists and is not one of these shards; choose another folder, or pass --overwrite")
    check_output(path)
    # An extra, imported here because it loads torch, which is slow and not needed if no shard is written.
    from webdataset import TarWriter  # noqa: PLC0415

    with draft_of(path) as draft, draft.open("wb") as file, TarWriter(file, encoder=False, mtime=0) as writer:
        for entry in shard.entries:
            writer.write(_sample(dataset, entry))
    with draft_of(out / INDEX) as draft:
        content = {"format": FORMAT, "version": VERSION, "shards": {**index, shard.name: key}}
        draft.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return True


def _sample(dataset: Path, entry: Entry) -> dict[str, str | bytes]:
    """Return the members of a sample. Its key has no dot, because readers take the text after the first as suffix."""
    about = json.dumps(asdict(entry), sort_keys=True).encode()
    files = {SUFFIXES[kind]: path_of(dataset, entry.id, kind).read_bytes() for kind in _kinds(entry)}
    return {"__key__": quote(entry.id, safe="# +=,@~").replace(".", "%2E"), "json": about, **files}


def _described(dataset: Path, entry: Entry, digests: DigestCache) -> list[object]:
    return [asdict(entry), *(digests.digest(path_of(dataset, entry.id, kind)) for kind in _kinds(entry))]


def _kinds(entry: Entry) -> list[str]:
    has = {"features": entry.sound, "bfm": entry.bfm}
    return [kind for kind in FOLDERS if has.get(kind, True)]


def _read_index(out: Path) -> dict[str, str]:
    try:
        content = json.loads((out / INDEX).read_text(encoding="utf-8"))
        return dict(content["shards"]) if content["format"] == FORMAT else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
