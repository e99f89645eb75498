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
from facepipe.media.probe import probe_video
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


MATRICES = {
    ("-display_hflip",): (True, 0, "mirrored, as its container"),
    ("-display_vflip",): (True, 180, "mirrored and rotated by 180 degrees clockwise"),
    ("-display_rotation", "90", "-display_hflip"): (True, 90, "mirrored and rotated by 90 degrees clockwise"),
    ("-display_rotation", "-90", "-display_hflip"): (True, 270, "mirrored and rotated by 270 degrees clockwise"),
    ("-display_rotation", "90"): (False, 270, "rotated by 270 degrees clockwise"),
    ("-display_rotation", "180"): (False, 180, "rotated by 180 degrees clockwise"),
}
CODECS = {"a.mp4": "copy", "a.mov": "copy", "a.mkv": "copy", "vp8.mkv": "libvpx"}


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("matrix", MATRICES)
def test_a_mirror_in_the_container_is_said(matrix: tuple[str, ...], name: str, tmp_path: Path) -> None:
    """The pictures are mirrored as said, then rotated as said."""
    plain, path = tmp_path / "plain.mp4", tmp_path / name
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=0.2", "-c:v", "libx264", "-crf", "8", plain)
    ffmpeg("-noautorotate", *matrix, "-i", plain, "-c:v", CODECS[name], path)
    info = probe_video(path)
    mirrored, degrees, text = MATRICES[matrix]
    assert (info.mirrored, info.rotation_degrees) == (mirrored, degrees)
    (remark,) = info.remarks
    assert remark.code == ("mirrored" if mirrored else "turned")
    assert remark.text.startswith(text)
    stored = next(decode_frames(plain))
    shown = turned(stored[:, ::-1] if mirrored else stored, degrees)
    assert np.abs(next(decode_frames(path, info=info)).astype(int) - shown).mean() < 8
