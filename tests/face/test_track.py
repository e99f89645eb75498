"""Track files and the crop around a track."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facepipe.errors import InputError
from facepipe.face.cropping import SquareCrop, box_of
from facepipe.face.track import VERSION, Track, TrackFile, crop_around, load_track, save_track
from tests.face.faces import posed


def made() -> TrackFile:
    points = np.random.default_rng(0).normal(100, 30, (4, 478, 3)).astype(np.float32)
    valid = np.array([True, True, False, True])
    track = Track(points, valid, valid.astype(np.float32) * np.float32(0.9), detections=2, max_faces=3)
    return TrackFile(track, Fraction(24000, 1001), SquareCrop(90.5, 80.25, 120.0), (320, 240), frame=7)


def rewrite(path: Path, header: dict[str, Any], **arrays: Any) -> None:
    with np.load(path) as file:
        content = {name: file[name] for name in file.files}
    updated = json.loads(content["header"].tobytes()) | header
    content["header"] = np.frombuffer(json.dumps(updated).encode(), np.uint8)
    np.savez(path, **content | arrays)


def test_a_file_gives_back_what_was_saved(tmp_path: Path) -> None:
    """All fields are read back unchanged, and equal tracks give equal bytes."""
    for name in ("a.npz", "b.npz"):
        save_track(made(), tmp_path / name)
    back = load_track(tmp_path / "a.npz")
    for field in ("points", "valid", "score"):
        np.testing.assert_array_equal(getattr(back.track, field), getattr(made().track, field))
    assert replace(back, track=replace(back.track, points=None, valid=None, score=None)) == replace(  # type: ignore[arg-type]
        made(),
        track=replace(made().track, points=None, valid=None, score=None),  # type: ignore[arg-type]
    )
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_points_of_another_landmarker_are_saved(tmp_path: Path) -> None:
    """The 68 points are optional; they are saved, loaded and selected by rows like the others."""
    assert made().track.rows(1, 3).sixty_eight is None
    own = np.random.default_rng(1).normal(100, 30, (4, 68, 3)).astype(np.float32)
    save_track(replace(made(), track=replace(made().track, sixty_eight=own)), tmp_path / "a.npz")
    back = load_track(tmp_path / "a.npz").track
    np.testing.assert_array_equal(back.sixty_eight, own)
    some = back.rows(1, 3)
    np.testing.assert_array_equal(some.sixty_eight, own[1:3])
    np.testing.assert_array_equal(some.points, made().track.points[1:3])
    assert (some.valid.tolist(), len(some.score), some.detections) == ([True, False], 2, 2)


@pytest.mark.parametrize(
    ("header", "arrays"),
    [
        ({"format": "facepipe-coefficients"}, {}),
        ({"version": VERSION + 1}, {}),
        ({"fps": "never"}, {}),
        ({"fps": "0"}, {}),
        ({"crop": {"center_x": 1}}, {}),
        ({"picture_size": []}, {}),
        ({}, {"points": np.zeros((4, 68, 3), np.float32)}),
        ({}, {"points": np.full((4, 478, 3), np.nan, np.float32)}),
        ({}, {"valid": np.ones(3, bool)}),
        ({}, {"score": np.array([{}] * 4, object)}),
        ({}, {"sixty_eight": np.zeros((3, 68, 3), np.float32)}),
    ],
)
def test_invalid_files_are_rejected(header: dict[str, Any], arrays: dict[str, Any], tmp_path: Path) -> None:
    """Foreign, newer and contradictory files, and pickled objects, raise an InputError that names the file."""
    save_track(made(), tmp_path / "bad.npz")
    rewrite(tmp_path / "bad.npz", header, **arrays)
    with pytest.raises(InputError, match=r"bad\.npz"):
        load_track(tmp_path / "bad.npz")


def test_damage_anywhere_is_an_input_error(tmp_path: Path) -> None:
    """A file truncated at any length is rejected, and so is a missing file."""
    path = tmp_path / "a.npz"
    save_track(made(), path)
    whole = path.read_bytes()
    for length in np.random.default_rng(0).integers(0, len(whole), 30).tolist():
        path.write_bytes(whole[:length])
        with pytest.raises(InputError):
            load_track(path)
    with pytest.raises(InputError, match="does not exist"):
        load_track(tmp_path / "missing.npz")


def test_the_crop_holds_the_face_with_room_for_hair() -> None:
    """A still face: the crop is about twice as large, with more room above the face than below."""
    points = np.tile(posed(middle=(500, 400)), (10, 1, 1))
    crop, (left, top, right, bottom) = crop_around(points, (1000, 800)), box_of(points[0])
    assert 1.8 * max(right - left, bottom - top) < crop.side < 2.1 * max(right - left, bottom - top)
    assert crop.center_x == pytest.approx((left + right) / 2)
    assert top - (crop.center_y - crop.side / 2) > (crop.center_y + crop.side / 2) - bottom > 0


def test_the_crop_holds_all_of_a_moving_face() -> None:
    """The crop contains the boxes of all frames except outliers."""
    points = np.stack([posed(middle=(300 + 3 * frame, 400)) for frame in range(100)])
    points[50] += 3000
    crop, boxes = crop_around(points, (1000, 800)), np.delete(box_of(points), 50, axis=0)
    assert crop.center_x - crop.side / 2 < boxes[:, 0].min()
    assert crop.center_x + crop.side / 2 > boxes[:, 2].max()
    assert crop.side < 800


@pytest.mark.parametrize("middle", [(40, 40), (600, 440), (320, 60)])
@pytest.mark.parametrize("size", [40, 150, 400])
def test_the_crop_stays_inside_the_picture(middle: tuple[int, int], size: float) -> None:
    """The crop moves at borders and shrinks for a large face, rather than extend beyond the picture."""
    crop = crop_around(posed(middle=middle, size=size)[None], (640, 480))
    assert crop.side <= 480
    for center, length in ((crop.center_x, 640), (crop.center_y, 480)):
        assert center - crop.side / 2 >= -0.5 - 1e-6
        assert center + crop.side / 2 <= length - 0.5 + 1e-6
