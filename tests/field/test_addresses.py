"""Inputs that are no file of this system: the message names the cause and the remedy."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import facepipe
from facepipe.errors import FacepipeError, InputError
from facepipe.media.files import check_input
from facepipe.pipeline.precheck import inspect_motion
from tests.pipeline.scene import Scene, run

PATHS = {
    "https://example.org/p.png": ("https://example.org/p.png: is an address", "fetches nothing", "download"),
    "S3://bucket/a.mp4": ("S3://bucket/a.mp4: is an address", "download"),
    "list/https:/example.org/p.png": ("https://example.org/p.png: is an address",),
    "file:///home/me/a%20b.png": (
        "file:///home/me/a%20b.png: is an address",
        "give the path of the file, /home/me/a b",
    ),
    "~/p.png": ("~/p.png: no such file", f"write {Path.home() / 'p.png'}"),
    "list/~/p.png": (f"write {Path.home() / 'p.png'}",),
    "C:\\Users\\me\\p.png": ("is a path of Windows", "on this system"),
    "C:/Users/me/p.png": ("is a path of Windows",),
    "src\\a.png": ("no such file", "write src/a.png"),
    "f/%05d.png": ("is a pattern of names", "ffmpeg -framerate 25 -i 'f/%05d.png'"),
    "f/*.png": ("is a pattern of names", "ffmpeg -framerate 25 -pattern_type glob -i 'f/*.png'"),
    "clips/*.mp4": ("is a pattern of names, but an input is one file",),
    "/dev/zero": ("a pipe, socket or device", "save it to a file"),
    "-": ("is a stream",),
    "p.png": ("p.png: no such file; check the name",),
    "a\0.png": ("'a\\x00.png': contains a NUL character", "remove it"),
}


@pytest.mark.skipif(os.sep != "/", reason="paths of POSIX")
@pytest.mark.parametrize(("path", "words"), PATHS.items(), ids=PATHS)
def test_the_message_names_the_cause(path: str, words: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as raised:
        check_input(Path(path))
    for word in words:
        assert word in str(raised.value)


def test_a_file_whose_name_looks_like_a_pattern_is_read(tmp_path: Path) -> None:
    for name in ("what?.png", "[1].png", "100%d.png", "~", "a:b.png", "C:x.png"):
        path = tmp_path / name
        path.write_bytes(b"x")
        check_input(path)


@pytest.mark.skipif(not Path("/dev/fd").is_dir(), reason="takes /dev/fd")
def test_a_stream_is_refused_even_if_a_file_is_behind_it(tmp_path: Path) -> None:
    """It is read from where another reader left it."""
    path = tmp_path / "x.mp4"
    path.write_bytes(b"x")
    with path.open("rb") as file, pytest.raises(InputError, match="is a stream, but an input is read more than once"):
        check_input(Path(f"/dev/fd/{file.fileno()}"))


def test_a_folder_of_pictures_becomes_a_video(tmp_path: Path) -> None:
    (tmp_path / "001.jpg").touch()
    with pytest.raises(InputError, match=r"is a folder; give a file; to make a video .* -i '.*/\*\.jpg'"):
        check_input(tmp_path)


def test_an_archive_of_another_program_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    np.savez(path, pose=np.zeros(3), exp=np.zeros(3))
    with pytest.raises(
        InputError, match=r"not a motion file of facepipe, but an archive of another program \(it holds pose, exp\)"
    ):
        inspect_motion(path, "linear478")


def test_a_nul_from_python_is_an_error_of_the_input(scene: Scene, tmp_path: Path) -> None:
    for source, driver, out in (
        ("a\0.png", scene.motion, None),
        (scene.portrait, "m\0.npz", None),
        (scene.portrait, scene.motion, tmp_path / "o\0.mp4"),
    ):
        with pytest.raises(FacepipeError, match="NUL"):
            facepipe.reenact(source, driver, out=out, work=tmp_path / "work")
    assert list(tmp_path.iterdir()) == []


def test_a_reference_beyond_the_end_is_found_before_the_work(scene: Scene, tmp_path: Path) -> None:
    work = tmp_path / "work"
    refused = run(
        "reenact", str(scene.portrait), str(scene.motion), "-o", str(tmp_path / "o.mp4"), "--reference", "99",
        "--work", str(work),
    )  # fmt: skip
    assert refused.exit_code == 2
    assert "--reference is 99, but the driver has 20 frames" in refused.stderr
    assert not work.exists()
