"""Temporary folders for tests that give up the rights of root."""

import tempfile
from itertools import takewhile
from pathlib import Path


def open_to_all(folder: Path) -> None:
    """Let every user read a temporary folder: pytest's folders above it are closed to others."""
    for one in takewhile(lambda one: one != Path(tempfile.gettempdir()), (folder, *folder.parents)):
        one.chmod(0o755)
