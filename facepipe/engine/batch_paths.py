"""The paths of the state of a batch: in the work folder, beside the results, so that the folder alone is enough."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = "batch"


@dataclass(frozen=True)
class BatchPaths:
    """The files and folders that hold the state of the batches of one work folder."""

    work: Path

    @property
    def folder(self) -> Path:
        """Return the folder of all of it."""
        return self.work / FOLDER

    @property
    def journal(self) -> Path:
        """Return the folder of the journals, one a process."""
        return self.folder / "journal"

    @property
    def claims(self) -> Path:
        """Return the folder of the claims on items and on results that are being made."""
        return self.folder / "claims"

    def stop(self, run: str) -> Path:
        """Return the file whose existence asks the workers of a run to stop."""
        return self.folder / "runs" / f"{run}.stop"

    def offsets(self, run: str) -> Path:
        """Return the file with the number of bytes of each journal that the leader of a run had read when it began."""
        return self.folder / "runs" / f"{run}.json"
