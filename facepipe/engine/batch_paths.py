"""Paths of a batch's state. It lives in the work folder beside the results, so that the folder is self-contained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = "batch"


@dataclass(frozen=True)
class BatchPaths:
    """The paths of the batches of one work folder."""

    work: Path

    @property
    def folder(self) -> Path:
        """The folder of all batch state."""
        return self.work / FOLDER

    @property
    def journal(self) -> Path:
        """The folder of the journals, one per process."""
        return self.folder / "journal"

    @property
    def claims(self) -> Path:
        """The folder of the claims on items and on results in progress."""
        return self.folder / "claims"

    @property
    def lists(self) -> Path:
        """The folder of the newest version of each list."""
        return self.folder / "lists"

    @property
    def runs(self) -> Path:
        """The folder of the files by which leaders and workers communicate."""
        return self.folder / "runs"

    def stop(self, run: str) -> Path:
        """Return the path of the file whose existence requests the workers of a run to stop."""
        return self.runs / f"{run}.stop"

    def offsets(self, run: str) -> Path:
        """Return the path of the file with the journal offsets that the leader of a run had read when it started."""
        return self.runs / f"{run}.json"
