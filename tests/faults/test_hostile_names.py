"""Names that a shell, ffmpeg, a playlist or a terminal would take for something else: files like any other here."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.faults.program import Scene, assert_whole, finish, run, start
from tests.preloaded import Child

NAMES = {
    "spaces": "a  portrait of me ",
    "quotes": 'it\'s "mine" `now`',
    "line breaks": "one\ntwo\r\nfile 'three",
    "leading dash": "-vf",
    "shell": "$(touch TRAPPED);touch TRAPPED&*?[a]~#!",
    "backslashes": "C:\\new\\table\\",
    "Cyrillic, Han and Arabic": "портрет 肖像 صورة",
    "emoji and combining": "👩‍🚀 e\u0301",
    "terminal commands": "\x1b[2J\x1b]0;title\x07\b\b",
    "concat protocol": "concat:a.mp4|b.mp4",
    "http address": "http:",
    "pattern": "%d-%03d-%%-%s",
    "pipe": "pipe:0",
    "playlist entry": "#EXTINF:1,",
    "wildcard of options": "file:,fd:,data:",
    "dots": "...hidden.mp4.png",
}
LONG = "ñ" * 118  # 236 bytes; a sidecar and a suffix must still fit into 255


@pytest.fixture(scope="session")
def plain_result(model_scene: Scene, short_driver: Path) -> bytes:
    """What comes out under plain names."""
    out = model_scene.folder / "plain.mp4"
    made = run("reenact", model_scene.portrait, short_driver, "-o", out, "--size", "64", "--work", model_scene.work)
    assert made.exit_code == 0, made.stderr
    return out.read_bytes()


@pytest.mark.parametrize("name", [*NAMES.values(), LONG], ids=[*NAMES, "very long"])
def test_a_hostile_name_is_a_name(name: str, scene: Scene, short_driver: Path, plain_result: bytes) -> None:
    folder = scene.folder / name[:60]
    folder.mkdir()
    os.chdir(folder)
    source, driver, out, work = (Path(name + suffix) for suffix in (".png", ".mp4", ".out.mp4", ".w"))
    shutil.copy(scene.portrait, source)
    shutil.copy(short_driver, driver)
    outcome = run("reenact", "--size", "64", "-o", out, "--work", work, "--", source, driver)
    assert outcome.exit_code == 0, outcome.stderr
    assert out.read_bytes() == plain_result
    assert outcome.stdout == f"{out}\n".replace("\r\n", "\n")  # the runner's way with lines
    assert all(character.isprintable() for character in outcome.stderr.replace("\n", ""))
    assert_whole(work)
    assert {path.name for path in folder.iterdir()} == {
        f"{path}" for path in (source, driver, out, work, f"{out}.json")
    }
    assert not list(scene.folder.rglob("TRAPPED"))


def test_a_name_that_is_no_text(scene: Scene, short_driver: Path, plain_result: bytes) -> None:
    source, driver, out = (os.fsencode(scene.folder) + b"/\xff\xfe%d" + end for end in (b".png", b".mp4", b"o.mp4"))
    shutil.copy(os.fsencode(scene.portrait), source)
    shutil.copy(os.fsencode(short_driver), driver)
    files = [os.fsdecode(path) for path in (source, driver, b"-o", out)]
    child = Child(["reenact", *files, "--size", "64", "--work", scene.folder / "work"], {}, scene.folder)
    printed, errors = child.communicate()
    assert child.returncode == 0, errors
    assert printed == out + b"\n"
    assert Path(os.fsdecode(out)).read_bytes() == plain_result


def test_a_result_is_told_in_a_terminal_of_ascii(scene: Scene) -> None:
    out = scene.folder / "рез\n.mp4"
    arguments = ("reenact", scene.portrait, scene.motion, "-o", out, "--size", "96", "--work", scene.work)
    outcome = finish(start(*arguments, environment={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}))
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.stdout == f"{out}\n"


def test_a_bad_file_of_a_hostile_name_breaks_no_line(scene: Scene) -> None:
    bad = scene.write("\x1b[2Jfacepipe: all is well\n.mp4", b"text")
    outcome = run("reenact", scene.portrait, bad, "-o", scene.out, "--work", scene.work)
    assert outcome.exit_code == 3
    assert outcome.stderr.count("\n") == 1
    assert "\x1b" not in outcome.stderr
    assert r"\x1b[2J" in outcome.stderr
