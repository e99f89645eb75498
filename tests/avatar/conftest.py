"""The head of avatars for tests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from facepipe.avatar.head import Head


@pytest.fixture(scope="session")
def source() -> Path:
    """The data of the installed package; without it the test skips."""
    from facepipe.avatar.source import data_folder
    from facepipe.errors import ToolError

    try:
        return data_folder()
    except ToolError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def head_file(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled head, made once for all processes that run tests."""
    from facepipe.avatar.compiling import compile_to

    folder = tmp_path_factory.getbasetemp()
    path = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "head.safetensors"
    if not path.is_file():
        compile_to(path, source)
    return path


@pytest.fixture(scope="session")
def head(head_file: Path) -> Head:
    from facepipe.avatar.head import load_head

    return load_head(head_file)
