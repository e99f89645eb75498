"""The stage `portrait`."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from facepipe.creation.observation import face_frame
from facepipe.engine import Artefact, Workspace
from facepipe.errors import InputError
from facepipe.face.track import Track, TrackFile, crop_around, load_track, save_track
from facepipe.media.grid import turned
from facepipe.media.image import read_image, write_image
from facepipe.stages import portrait
from tests.creation.faces import mean_points


def make(folder: Path, picture: np.ndarray, points: np.ndarray, *, turn: int = 0, **more: Path) -> Artefact:
    write_image(folder / "portrait.png", picture)
    track = Track(points[None].astype(np.float32), np.ones(1, bool), np.ones(1, np.float32), max_faces=1)
    upright = turned(picture, turn)
    size = (upright.shape[1], upright.shape[0])
    file = TrackFile(track, Fraction(25), crop_around(track.points, size), size, turned_degrees=turn)
    save_track(file, folder / "track.npz")
    workspace = Workspace(folder / "work")
    inputs = {"media": folder / "portrait.png", "track": folder / "track.npz", **more}
    return workspace.execute(workspace.decide(portrait.STAGE, inputs, portrait.Params()))


def ramp(height: int, width: int) -> np.ndarray:
    """Return a picture whose red and green say column and row."""
    rows, columns = np.mgrid[:height, :width]
    levels = [255 * columns / width, 255 * rows / height, 0 * rows]
    return np.stack(levels, axis=-1).round().astype(np.uint8)


@pytest.mark.parametrize("scale", [40.0, 300.0])
def test_points_stay_on_their_pixels(tmp_path: Path, scale: float) -> None:
    points = mean_points(scale, 4.5 * scale)
    height, width = round(8 * scale), round(14 * scale)
    picture = ramp(height, width)
    made = make(tmp_path, picture, points)
    cut, file = read_image(made.path("portrait.png")), load_track(made.path("track.npz"))
    assert cut.shape[:2] == file.picture_size[::-1]
    assert cut.shape[1] < 0.8 * width
    assert face_frame(file.track.points[0]).side <= portrait.MAX_FRAME_PIXELS + 1
    for number in (4, 33, 152, 263, 291):
        x, y = np.round(file.track.points[0, number, :2]).astype(int)
        wanted = points[number, :2] * 255 / (width, height)
        assert np.abs(cut[y, x, :2] - wanted).max() < 2


def test_a_turned_picture_is_upright(tmp_path: Path) -> None:
    picture = ramp(360, 420)
    made = make(tmp_path, turned(picture, 270), mean_points(40, 180), turn=90)
    assert load_track(made.path("track.npz")).turned_degrees == 0
    x, y, width, height = made.facts["box"]
    assert (read_image(made.path("portrait.png")) == picture[y : y + height, x : x + width]).all()


def test_a_stylised_picture_is_cut_alike(tmp_path: Path) -> None:
    picture = ramp(360, 420)
    write_image(tmp_path / "mine.png", np.repeat(np.repeat(255 - picture, 2, axis=0), 2, axis=1))
    made = make(tmp_path, picture, mean_points(40, 180), stylized=tmp_path / "mine.png")
    both = [read_image(made.path(name)).astype(int) for name in ("portrait.png", "stylized.png")]
    assert np.abs(both[0] + both[1] - 255).mean() < 2
    write_image(tmp_path / "wide.png", ramp(300, 420))
    with pytest.raises(InputError, match="must show the whole portrait"):
        make(tmp_path, picture, mean_points(40, 180), stylized=tmp_path / "wide.png")
