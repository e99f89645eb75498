"""Clips and pictures that stand on their head or side without a tag are turned, and it is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facepipe.face.cropping import roll_radians
from facepipe.face.track import load_track
from facepipe.media.decode import decode_frames
from facepipe.media.grid import turned
from facepipe.media.image import read_image, write_image
from tests.face.faces import astronaut
from tests.field.people import cropped, remarks, write_clip
from tests.pipeline.scene import ffmpeg, run

FILTERS = {180: "hflip,vflip", 90: "transpose=cclock", 270: "transpose=clock"}
"""The filter that makes each turn necessary."""


@pytest.fixture(scope="module")
def upright(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frame = astronaut()[:280]
    frames = [np.roll(frame, number // 2, axis=1) for number in range(8)]
    return write_clip(tmp_path_factory.mktemp("upright") / "upright.mp4", frames)


@pytest.mark.parametrize("turn", FILTERS)
def test_a_clip_without_a_tag_is_turned(turn: int, upright: Path, tmp_path: Path) -> None:
    """Points, crop and pictures are those of the upright clip."""
    clip = tmp_path / "turned.mp4"
    ffmpeg("-i", upright, "-vf", FILTERS[turn], "-crf", "12", clip)
    outcome, track = cropped(clip)
    assert f"turned by {turn} degrees" in remarks(outcome)["turned"]
    assert track.valid.all()
    assert max(abs(roll_radians(points)) for points in track.points) < np.pi / 6
    _, own = cropped(upright)
    # Half of the pictures' shorter side in pixels would be another face.
    assert np.abs(track.points - own.points)[..., :2].mean() < 3
    shown = [next(decode_frames(where.parent / "out" / f"{where.stem}.mp4")) for where in (clip, upright)]
    assert np.abs(shown[0].astype(int) - shown[1]).mean() < 8


@pytest.mark.parametrize("turn", FILTERS)
def test_a_portrait_is_turned(turn: int, tmp_path: Path) -> None:
    """The result of a turned portrait, pasted back, is that of the upright one, to the level."""
    results = []
    for name, picture in (("upright", astronaut()), ("turned", turned(astronaut(), -turn))):
        write_image(tmp_path / f"{name}.png", picture)
        out = tmp_path / f"{name}-out.png"
        arguments: list[str | Path] = [
            "edit",
            tmp_path / f"{name}.png",
            "--yaw",
            "10",
            "--paste-back",
            "-o",
            out,
            "--json",
        ]
        outcome = run(*arguments, "--work", tmp_path / "work")
        assert outcome.exit_code == 0, outcome.stderr
        assert ("turned" in remarks(outcome)) == (name == "turned")
        results.append(read_image(out))
    np.testing.assert_array_equal(results[0], results[1])


def test_the_track_file_says_the_turn(tmp_path: Path) -> None:
    """`facepipe coefficients` in a space that reads pixels, and the grid, turn the medium by it."""
    write_image(tmp_path / "down.png", turned(astronaut(), 180))
    cropped(tmp_path / "down.png")
    file = load_track(tmp_path / "out" / "down.track.npz")
    assert file.turned_degrees == 180
    assert file.picture_size == (320, 300)


def test_an_upright_clip_is_not_turned(upright: Path) -> None:
    """Nothing is said, and the header holds 0."""
    outcome, _ = cropped(upright, "--overwrite")
    assert "turned" not in remarks(outcome)
    assert load_track(upright.parent / "out" / "upright.track.npz").turned_degrees == 0
