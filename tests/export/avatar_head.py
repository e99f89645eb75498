"""The real head, for tests that need it."""

from __future__ import annotations

import pytest

from facepipe.avatar.head import Head
from facepipe.avatar.source import data_folder
from facepipe.errors import FacepipeError


def _lacks_source() -> bool:
    try:
        data_folder()
    except FacepipeError:
        return True
    return False


needs_head = pytest.mark.skipif(_lacks_source(), reason="needs the packages of facepipe[avatar]")


def compiled_head() -> Head:
    """Return the head, compiled by the first test that needs it."""
    from facepipe.avatar.compiling import open_head

    return open_head()
