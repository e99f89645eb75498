"""Export to the LMDB layout that PIRenderer's published training reads.

`OUT/<size>/` is the environment; `OUT/train_list.txt` and `OUT/test_list.txt` list its clips. Keys are text, with parts
joined by `-` and numbers of seven digits: `<clip>-0000012` (JPEG), `<clip>-length`, `<clip>-coeff_3dmm` (float32, 260
per frame: identity, expression, texture, angles, lighting, translation, crop), and `length`, the number of clips.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facepipe.dataset.listing import Entry, path_of
from facepipe.engine.digest import DigestCache
from facepipe.errors import EncoderError, FailedItemsError, InputError
from facepipe.face.bfm.layout import GROUPS, Row
from facepipe.media.decode import decode_frames
from facepipe.media.files import draft_of
from facepipe.media.grid import resize
from facepipe.media.image import as_jpeg
from facepipe.spaces import bfm
from facepipe.spaces.bfm.coefficients import BfmCoefficients
from facepipe.spaces.bfm.files import read_official
from facepipe.spaces.files import load_coefficients

if TYPE_CHECKING:
    import lmdb

MARK = "facepipe"
# The initial maximum size; the file takes only what it needs.
MAP_BYTES = 1 << 28
MAX_KEY_BYTES = 511


@dataclass(frozen=True)
class Target:
    """Destination and sources of an export."""

    dataset: Path
    out: Path
    coefficients: Path
    """Folder of `ID.npz` in the space bfm, or of `ID.mat` as the official scripts write them."""
    size_pixels: int

    @property
    def folder(self) -> Path:
        """Return the folder of the environment."""
        return self.out / str(self.size_pixels)


def rows_of(path: Path, entry: Entry) -> NDArray[np.float32]:
    """Return the (N, 260) rows of a clip's coefficient file. Raises InputError if its length differs."""
    found = read_official(path, entry.rate) if path.suffix == ".mat" else load_coefficients(path, space=bfm.SPACE)
    assert isinstance(found, BfmCoefficients)
    row = Row(**{name: getattr(found, name) for name in GROUPS}).joined()
    if len(row) != entry.frames:
        raise InputError(f"the clip has {entry.frames} frames, {path} has {len(row)}; make one of them again")
    return np.concatenate([row, found.crops], axis=1).astype(np.float32)


def export(
    target: Target, entries: Sequence[Entry], digests: DigestCache, advance: Callable[[int], None], *, overwrite: bool
) -> bool:
    """Update the environment and its lists to contain these clips; return False if nothing changed.

    Each clip is one transaction, which also stores the digest of its sources: a stopped run loses no written clip, and
    only changed clips are written again. Raises FailedItemsError after all other clips are written if some failed, and
    InputError if the environment was not written by facepipe.
    """
    with _opened(target, overwrite=overwrite) as environment:
        changed = _remove_others(environment, entries)
        faults: dict[str, str] = {}
        for entry in entries:
            try:
                changed |= _update(environment, target, entry, digests)
            except (InputError, EncoderError) as error:
                faults[entry.id] = f"{entry.id}: {error}"
                changed |= _remove(environment, entry.id)
            advance(entry.frames)
        there = [entry for entry in entries if entry.id not in faults]
        _put(environment, {"length": _number(len(there)), MARK: "\n".join(sorted(entry.id for entry in there))})
    for split, name in (("train", "train_list.txt"), ("test", "test_list.txt")):
        names = [entry.id for entry in there if (entry.split == "train") == (split == "train")]
        changed |= _write_lines(target.out / name, names)
    if faults:
        head = f"{len(faults)} of {len(entries)} clips are left out; running this again tries them again."
        raise FailedItemsError([head, *(f"  {fault}" for fault in faults.values())], done=[target.folder])
    return changed


@contextmanager
def _opened(target: Target, *, overwrite: bool) -> Iterator[lmdb.Environment]:
    """Open or create the environment. Raises InputError if facepipe did not write it."""
    import lmdb  # noqa: PLC0415 - an extra

    new = not target.folder.exists()
    target.folder.mkdir(parents=True, exist_ok=True)
    if overwrite and not new:
        for name in ("data.mdb", "lock.mdb"):
            (target.folder / name).unlink(missing_ok=True)
    try:
        environment = lmdb.open(str(target.folder), map_size=MAP_BYTES)
    except lmdb.Error as error:
        raise InputError(f"{target.folder} cannot be opened as LMDB ({error}); choose another folder") from error
    with environment:
        with environment.begin() as transaction:
            if transaction.stat()["entries"] and transaction.get(MARK.encode()) is None:
                raise InputError(
                    f"{target.folder} was not written by facepipe; choose another folder, or pass --overwrite"
                )
        yield environment


def _update(environment: lmdb.Environment, target: Target, entry: Entry, digests: DigestCache) -> bool:
    """Write one clip unless it is up to date; return whether it was written."""
    coefficients = next(
        (path for suffix in (".npz", ".mat") if (path := target.coefficients / f"{entry.id}{suffix}").exists()), None
    )
    if coefficients is None:
        raise InputError(f"{target.coefficients} holds no {entry.id}.npz or .mat")
    if len(_key(entry.id, "coeff_3dmm")) > MAX_KEY_BYTES:
        raise InputError("the name is too long for LMDB; build the set from shorter names")
    clip = path_of(target.dataset, entry.id, "clip")
    sources = f"{digests.digest(clip)} {digests.digest(coefficients)}".encode()
    with environment.begin() as transaction:
        if transaction.get(_key(entry.id, MARK)) == sources:
            return False
    rows = rows_of(coefficients, entry)
    size = (target.size_pixels, target.size_pixels)
    content: dict[str, str | bytes] = {
        _number(n): as_jpeg(resize(frame, size)) for n, frame in enumerate(decode_frames(clip))
    }
    if len(content) != entry.frames:
        raise InputError(f"{clip} holds {len(content)} frames, the list says {entry.frames}; build the set again")
    content |= {"length": _number(entry.frames), "coeff_3dmm": rows.tobytes(), MARK: sources}
    _remove(environment, entry.id)
    _put(environment, {f"{entry.id}-{part}": value for part, value in content.items()})
    return True


def _remove_others(environment: lmdb.Environment, entries: Sequence[Entry]) -> bool:
    """Remove clips that are not in `entries`, and store the names of those that are."""
    with environment.begin() as transaction:
        there = set(filter(None, (transaction.get(MARK.encode()) or b"").decode().split("\n")))
    wanted = {entry.id for entry in entries}
    # Stored before the first clip is written, so that clips of a stopped run are known.
    _put(environment, {MARK: "\n".join(sorted(there | wanted))})
    for name in there - wanted:
        _remove(environment, name)
    return bool(there - wanted)


def _remove(environment: lmdb.Environment, name: str) -> bool:
    with environment.begin(write=True) as transaction:
        length = transaction.get(_key(name, "length"))
        for part in [*map(_number, range(int(length or 0))), "length", "coeff_3dmm", MARK]:
            transaction.delete(_key(name, part))
    return length is not None


def _put(environment: lmdb.Environment, content: Mapping[str, str | bytes]) -> None:
    """Write all keys in one transaction, growing the map if it is full."""
    import lmdb  # noqa: PLC0415 - an extra

    while True:
        try:
            with environment.begin(write=True) as transaction:
                for key, value in content.items():
                    transaction.put(key.encode(), value.encode() if isinstance(value, str) else value)
            return
        except lmdb.MapFullError:
            environment.set_mapsize(environment.info()["map_size"] * 2)


def _number(value: int) -> str:
    return f"{value:07}"


def _key(*parts: str) -> bytes:
    return "-".join(parts).encode()


def _write_lines(path: Path, lines: Sequence[str]) -> bool:
    text = "".join(f"{line}\n" for line in lines)
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    with draft_of(path) as draft:
        draft.write_text(text, encoding="utf-8")
    return True
