"""Locks on folders. The kernel releases them however the process that holds them ends."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

if sys.platform != "win32":
    import fcntl


class FolderLock:
    """A lock on a folder, held from construction until `release` or the end of the process.

    Raises BlockingIOError if another process holds a conflicting lock, unless `wait` is set. Where folders cannot be
    locked (Windows, some network file systems) every process gets the lock and `known` is False.
    """

    def __init__(self, folder: Path, *, shared: bool = False, wait: bool = False) -> None:
        self.known = False
        self._handle = -1
        if sys.platform == "win32":
            return
        self._handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            fcntl.flock(self._handle, how if wait else how | fcntl.LOCK_NB)
            self.known = True
        except OSError as error:
            if error.errno in {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES}:
                self.release()
                raise BlockingIOError(error.errno, "locked by another process", str(folder)) from None

    def release(self) -> None:
        """Release the lock. Further calls do nothing."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
