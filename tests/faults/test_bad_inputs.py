"""Every bad input that we could think of: one clear message, the right exit code, nothing left behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.faults import forgeries as forge
from tests.faults.program import FRAMES, Outcome, Scene, assert_whole, run

Make = Callable[[Scene], Path]


@dataclass(frozen=True)
class Case:
    """An input, how the program is to end, and the words that its message cannot do without."""

    name: str
    make: Make
    code: int
    words: tuple[str, ...]


def text_video(scene: Scene) -> Path:
    return scene.write("text.mp4", b"dear diary, " * 50)


# What is wrong, what was expected or what came, and what to do.
EITHER = [
    Case("missing", lambda s: s.folder / "gone.mp4", 3, ("gone.mp4", "no such file", "check the name")),
    Case("empty", lambda s: s.write("empty.mp4", b""), 3, ("empty.mp4", "0 bytes", "again")),
    Case("one byte", lambda s: s.write("one.mp4", b"\0"), 3, ("one.mp4", "neither an image nor a video", "mp4")),
    Case("truncated mp4", forge.truncated_video, 3, ("short.mp4", "truncated", "copy it again")),
    Case("mp4 without its index", forge.unfinished_video, 3, ("unfinished.mp4", "moov", "copy it again")),
    Case("text named .mp4", text_video, 3, ("text.mp4", "neither an image nor a video", "mp4")),
    Case("zero duration", forge.video_without_frames, 3, ("zero.mp4", "without a single frame", "export it again")),
    Case("mp4 of sound only", forge.sound_in_mp4, 3, ("sound.mp4", "no video stream (only sound)", "give")),
    Case("sound file", forge.sound_file, 3, ("sound.wav", "sound without pictures", "give")),
    Case("corrupt image", forge.corrupt_image, 3, ("corrupt.png", "damaged image", "again")),
    Case("truncated JPEG", forge.truncated_jpeg, 3, ("half.jpg", "damaged image", "again")),
    Case("1x1", lambda s: s.write("dot.png", forge.png(1, 1, b"\0\0")), 4, ("dot.png", "no face", "Use an input")),
    Case("20,000x20,000", forge.huge_image, 3, ("huge.png", "20000x20000", "400,000,000", "--max-pixels 400000000")),
    Case("no face in an image", forge.faceless_image, 4, ("clouds.png", "no face", "24 pixels")),
    Case("no face in a video", forge.faceless_video, 4, ("bars.mp4", "no face", "10 frames")),
    Case("face too small", forge.small_face, 4, ("far.png", "face", "Use an input")),
    Case("FIFO", forge.pipe, 3, ("pipe.mp4", "a pipe, socket or device", "save it to a file")),
    Case("socket", forge.listening, 3, ("socket.mp4", "a pipe, socket or device", "save it to a file")),
    Case("device", lambda _: Path("/dev/zero"), 3, ("/dev/zero", "a pipe, socket or device", "save it to a file")),
    Case("link to itself", forge.loop, 3, ("loop.mp4", "cannot be read", "symbolic links", "check its name")),
    Case("dangling link", forge.dangling, 3, ("link.mp4", "link", "gone.mp4")),
    Case("folder", lambda s: s.folder, 3, ("is a folder", "give a file")),
    Case("m3u8 playlist", forge.playlist, 3, ("list.mp4", "playlist", "give the video itself")),
    Case("ffconcat script", forge.concat_script, 3, ("script.mp4", "playlist", "give the video itself")),
    Case("SVG named .png", forge.vector_image, 3, ("face.png", "SVG", "PNG")),
    Case("PDF named .png", forge.document, 3, ("scan.png", "PDF", "PNG")),
    Case("name beyond all bounds", lambda s: s.folder / ("n" * 300), 3, ("name", "too long")),
    Case("http address", lambda _: Path("http:/example.com/a.mp4"), 3, ("http://example.com/a.mp4: is an", "download")),
    Case("concat address", lambda _: Path("concat:driver.mp4|driver.mp4"), 3, ("concat:", "no such file")),
]

DRIVERS = [
    Case("noise for pictures", forge.damaged_video, 3, ("noise.mp4", "none of its frames", "copy it again")),
    Case("noise at the end", lambda s: forge.damaged_video(s, 0.6), 3, ("noise.mp4", "frames can be decoded", "again")),
    Case(
        "motion of another space",
        lambda s: forge.motion_with(s, space="bfm"),
        3,
        ("other.npz", "'bfm'", "'linear478'"),
    ),
    Case(
        "motion of another version",
        lambda s: forge.motion_with(s, version=7),
        3,
        ("version 7", "versions 1 to 2", "update"),
    ),
    Case("motion without a space", lambda s: forge.motion_with(s, space=None), 3, ("other.npz", "space")),
    Case("motion without a count", lambda s: forge.motion_with(s, frame_count=None), 3, ("other.npz", "frame_count")),
    Case("motion of a false count", lambda s: forge.motion_with(s, frame_count=9), 3, ("other.npz", "shape")),
    Case("motion at no rate", lambda s: forge.motion_with(s, fps="0"), 3, ("other.npz", "the frame rate is '0'")),
    Case("motion at a false rate", lambda s: forge.motion_with(s, fps="fast"), 3, ("other.npz", "fast")),
    Case("motion without a crop", lambda s: forge.motion_with(s, crop={"side": 1}), 3, ("other.npz", "damaged")),
    Case(
        "motion of text", lambda s: forge.motion_of(s, angles=np.array(["up"] * FRAMES)), 3, ("arrays.npz", "damaged")
    ),
    Case(
        "motion that is not finite",
        lambda s: forge.motion_of(s, angles=np.full((FRAMES, 3), np.nan)),
        3,
        ("finite", "again"),
    ),
    Case(
        "motion broken off",
        lambda s: forge.shortened(s, s.motion, 0.7),
        3,
        ("short.npz", "not a motion file", "makes one"),
    ),
    Case("pickled npz", forge.pickled_motion, 3, ("pickled.npz", "pickle", "makes one")),
    Case("bare pickle", forge.bare_pickle, 3, ("bare.npz", "pickle", "makes one")),
    Case("npy named npz", forge.single_array, 3, ("array.npz", "expected a motion file", "makes one")),
    Case("zip named npz", forge.other_archive, 3, ("papers.npz", "an archive of another program", "makes one")),
    Case("text named npz", lambda s: s.write("text.npz", b"hello " * 99), 3, ("text.npz", "expected a motion file")),
    Case("empty npz", lambda s: s.write("empty.npz", b""), 3, ("empty.npz", "0 bytes")),
]

SOURCES = [
    Case("motion file as source", lambda s: s.motion, 3, ("motion.npz", "motion file", "SOURCE")),
]


def check(outcome: Outcome, scene: Scene, before: set[str], code: int, words: tuple[str, ...]) -> None:
    """Check an ending: its code, its one message, and that nothing came to lie about."""
    assert outcome.exit_code == code, outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert "a bug" not in outcome.message
    assert "\n" not in outcome.message
    assert outcome.stderr.count(outcome.message) == 1, "told twice:\n" + outcome.stderr
    # The folder bears the name of the test.
    message = outcome.message.replace(str(scene.folder), "")
    for word in words:
        assert word in message
    assert outcome.stdout == ""
    assert scene.files() == before
    assert_whole(scene.work)


@pytest.mark.parametrize("case", EITHER + DRIVERS, ids=lambda case: case.name)
def test_driver(case: Case, scene: Scene) -> None:
    driver = case.make(scene)
    before = scene.files()
    outcome = run("reenact", scene.portrait, driver, "-o", scene.out, "--size", "64", "--work", scene.work)
    check(outcome, scene, before, case.code, case.words)


@pytest.mark.parametrize("case", EITHER + SOURCES, ids=lambda case: case.name)
def test_source(case: Case, scene: Scene) -> None:
    source = case.make(scene)
    before = scene.files()
    outcome = run("reenact", source, scene.motion, "-o", scene.out, "--size", "64", "--work", scene.work)
    check(outcome, scene, before, case.code, case.words)


def test_all_that_is_wrong_is_told_at_once(scene: Scene) -> None:
    before = scene.files()
    arguments = ("reenact", "gone.png", "gone.mp4", "-o", "portrait.png/out.mp4", "--work", scene.work)
    outcome = run(*arguments)
    assert outcome.exit_code == 3
    assert [line.split()[0] for line in outcome.message.splitlines()] == [
        "gone.png:",
        "gone.mp4:",
        "portrait.png/out.mp4:",
    ]
    assert scene.files() == before


def test_an_animation_is_a_source_like_a_video(scene: Scene) -> None:
    """Harmless, though many programs stumble over it."""
    frames = [Image.open(scene.portrait).rotate(turn).resize((200, 200)) for turn in (0, 2, 4)]
    source = scene.folder / "moving.webp"
    frames[0].save(source, save_all=True, append_images=frames[1:], duration=100)
    out = scene.folder / "moved.png"
    outcome = run("reenact", source, scene.portrait, "-o", out, "--size", "64", "--work", scene.work)
    assert outcome.exit_code == 0, outcome.stderr
    assert Image.open(out).size == (64, 64)
