"""The store of results: looked up by fingerprint, published by one rename."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from facepipe.engine.artefact import Artefact
from facepipe.engine.digest import digest_stream
from facepipe.engine.disk import disk_errors, protect, remove_folder, sync
from facepipe.engine.draft import draft_beside, drafts_in, is_dead, open_draft, sweep
from facepipe.engine.fingerprint import Identity
from facepipe.engine.record import DamagedRecordError, OutputFile, Record, loaded_versions, read_record
from facepipe.engine.stage import RECORD_NAME, missing_and_foreign
from facepipe.errors import FacepipeError

SHARD = "[0-9a-f]" * 2
FINGERPRINT = "[0-9a-f]" * 64
TAKEN = {errno.ENOTEMPTY, errno.EEXIST, errno.EACCES if os.name == "nt" else errno.EEXIST}


class Store:
    """Results in folders `WORK/<stage>/<2 hex>/<fingerprint>/`. A folder of that name is a finished result."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._swept: set[str] = set()

    def folder(self, identity: Identity) -> Path:
        """Return the folder of the result of an identity."""
        return self.root / identity.stage / identity.fingerprint[:2] / identity.fingerprint

    def find(self, identity: Identity) -> Artefact | None:
        """Return a finished result, or None if it is missing or damaged (no record, a file missing or of another size).

        Raises RecordError if another version of the program wrote its record.
        """
        return find_artefact(self.folder(identity))

    def was_begun(self, identity: Identity) -> bool:
        """Return True if a dead process left a draft of the result, or a damaged result is in its folder."""
        folder = self.folder(identity)
        own = (draft for draft in drafts_in(folder.parent) if draft.name.startswith(folder.name + "."))
        return folder.is_dir() or any(map(is_dead, own))

    def draft(self, identity: Identity) -> AbstractContextManager[Path]:
        """Open a draft folder for a result. The first call for a stage removes the stage's dead drafts."""
        if identity.stage not in self._swept:
            self._swept.add(identity.stage)
            for shard in stage_shards(self.root / identity.stage):
                sweep(shard)
        return open_draft(self.folder(identity))

    def publish(
        self,
        draft: Path,
        identity: Identity,
        declared: tuple[str, ...],
        facts: Mapping[str, Any],
        *,
        seconds: float,
        replace: bool = False,
    ) -> Artefact:
        """Publish a finished draft as the result of an identity, and return the result that is then in its folder.

        A result that another process published first stays, unless `replace` is set and its content differs. Raises
        FacepipeError if the draft does not contain exactly the declared outputs, and DiskError if it cannot be written;
        nothing is published then.
        """
        target = self.folder(identity)
        with disk_errors(draft):
            record = Record(identity, _seal(draft, identity, declared), facts, seconds, loaded_versions())
            path = draft / RECORD_NAME
            path.write_text(_record_text(record), "utf-8")
            protect(path)
            sync(path)
            sync(draft)
        with disk_errors(target.parent):
            _move_into_place(draft, target, lambda old: replace and old.record.outputs != record.outputs)
            sync(target.parent)
        return find_artefact(target) or Artefact(target, record)


def find_artefact(folder: Path) -> Artefact | None:
    """Return the result in a folder, or None if it is missing or damaged. Raises RecordError for a foreign record."""
    try:
        record = read_record(folder)
        whole = all((folder / name).stat().st_size == output.bytes for name, output in record.outputs.items())
    except (DamagedRecordError, OSError):
        return None
    return Artefact(folder, record) if whole and record.identity.fingerprint == folder.name else None


def stage_shards(stage_folder: Path) -> Iterator[Path]:
    """Yield the folders of a stage that are named by two hex digits."""
    if stage_folder.is_dir() and not stage_folder.is_symlink():
        yield from sorted(stage_folder.glob(SHARD))


def _seal(draft: Path, identity: Identity, declared: tuple[str, ...]) -> dict[str, OutputFile]:
    """Check the files of a draft, make them read-only, fsync them, and return their digests and sizes."""
    entries = {entry.name: entry for entry in os.scandir(draft)}
    missing, foreign = missing_and_foreign(declared, set(entries))
    foreign += [name for name, entry in entries.items() if not entry.is_file(follow_symlinks=False)]
    if missing or foreign:
        wrong = [f"did not write {name}" for name in missing] + [f"wrote undeclared {name!r}" for name in foreign]
        raise FacepipeError(f"stage {identity.stage} {', '.join(wrong)}; this is a bug in facepipe: report it")
    outputs = {}
    for name in sorted(entries):
        path = draft / name
        with path.open("rb") as stream:
            outputs[name] = OutputFile(digest_stream(stream), stream.tell())
        protect(path)
        sync(path)
    return outputs


def _record_text(record: Record) -> str:
    try:
        return record.text()
    except (TypeError, ValueError) as error:
        stage = record.identity.stage
        raise FacepipeError(f"stage {stage} returned facts that are not JSON ({error}); report this bug") from error


def _move_into_place(draft: Path, target: Path, outdated: Callable[[Artefact], bool]) -> None:
    """Rename a draft to its target, unless the target is an intact result that is not outdated."""
    for _ in range(100):
        try:
            draft.rename(target)
            return
        except OSError as error:
            if error.errno not in TAKEN:
                raise
        standing = find_artefact(target)
        if standing is not None and not outdated(standing):
            return
        aside = draft_beside(target)
        with suppress(FileNotFoundError):  # another process was faster
            target.rename(aside)
            remove_folder(aside)
        time.sleep(0.001)
    raise FacepipeError(f"other processes keep replacing {str(target)!r}; run fewer processes with --force")
