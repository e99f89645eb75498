"""The frames of one person, from a clip or pictures."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from facepipe.errors import InputError, NoFaceError
from facepipe.face.following import Followed
from facepipe.face.likeness import Comparison
from facepipe.face.track import Track
from facepipe.media.encode import VideoWriter
from facepipe.media.image import write_image
from facepipe.train.bilayer.person_frames import PersonFrames, parts_of
from tests.face.faces import face_model
from tests.face.world import HEIGHT, WIDTH, Figure, World
from tests.renderers.bilayer.compact.test_net import TINY

fabric_module = pytest.importorskip("lightning_fabric", reason="needs the extra `train`")

from facepipe.train.bilayer import person_frames  # noqa: E402 - they need the extra

SIDE = 160
SMALL = replace(TINY, side_pixels=SIDE)
LEVELS = 8


class Filmed(World):
    """A world whose pictures survive encoding: a square of pixels, not one, holds the number of the frame."""

    def draw(self, number: int) -> NDArray[np.uint8]:
        picture = super().draw(number)
        picture[:24, :24] = LEVELS * number
        return picture

    def seen(self, picture: NDArray[np.uint8]) -> list[Figure]:
        number = round(float(picture[4:20, 4:20].mean()) / LEVELS)
        # A turned picture has another corner there, and no face.
        return super().seen(np.full((1, 1, 3), number, np.uint8)) if number < len(self.frames) else []


def reader(world: World, notes: list[str], **options: Any) -> PersonFrames:
    return PersonFrames(world, world, face_model(), SIDE, note=notes.append, **options)


def filmed(world: World, path: Path, fps: int = 25) -> Path:
    with VideoWriter(path, size=(WIDTH, HEIGHT), fps=Fraction(fps)) as writer:
        for picture in world.pictures():
            writer.write(picture)
    return path


def test_the_head_in_the_first_seconds_of_a_clip(tmp_path: Path) -> None:
    """The largest of two people is cut out for as long as --seconds says; notes say who it is and that it is short."""
    world = Filmed([[Figure(90 + number, looks=1), Figure(260, size=20, looks=2)] for number in range(24)])
    path, notes = filmed(world, tmp_path / "two.mp4"), list[str]()
    cache = reader(world, notes, seconds=0.48).cache([path], tmp_path / "frames")
    assert cache.frames.shape == (12, SIDE, SIDE, 3)
    assert cache.valid.all()
    middle = cache.points[:, :, :2].mean((0, 1))
    assert np.abs(middle - SIDE / 2).max() < 0.15 * SIDE
    # The points fit the pixels: the textured patch of the face differs from the grey around it.
    left, top = cache.points[6, :, :2].min(0).astype(int)
    right, bottom = cache.points[6, :, :2].max(0).astype(int)
    patch = cache.frames[6].astype(float)
    assert patch[top:bottom, left:right].std() > 4 * patch[:, : left - 6].std()
    assert any("up to 2 faces" in note and "number 1 of 2" in note for note in notes)
    assert any("0.5 s are used" in note for note in notes)


def test_a_clip_is_read_once(tmp_path: Path) -> None:
    """The folder of another clip, or of other --seconds, is refused."""
    world = Filmed([[Figure(120)]] * 4)
    path = filmed(world, tmp_path / "clip.mp4")
    first = reader(world, []).cache([path], tmp_path / "frames")
    seen = len(world.crops)
    again = reader(world, []).cache([path], tmp_path / "frames")
    assert len(world.crops) == seen
    np.testing.assert_array_equal(first.frames, again.frames)
    with pytest.raises(InputError, match="another --out"):
        reader(world, [], seconds=0.1).cache([path], tmp_path / "frames")


def test_seconds_beyond_the_clip_are_noted(tmp_path: Path) -> None:
    world = Filmed([[Figure(120)]] * 12)
    notes = list[str]()
    reader(world, notes, seconds=20).cache([filmed(world, tmp_path / "clip.mp4", fps=5)], tmp_path / "frames")
    assert any("2.4 s, fewer than --seconds 20" in note for note in notes)


def test_a_clip_without_a_face_leaves_nothing(tmp_path: Path) -> None:
    world = Filmed([[]] * 6)
    with pytest.raises(NoFaceError, match="0 of the first 6 frames"):
        reader(world, []).cache([filmed(world, tmp_path / "empty.mp4")], tmp_path / "frames")
    assert not (tmp_path / "frames").exists()


def test_frames_of_another_person_are_left_out() -> None:
    """The frames from which another person is followed are not valid, and a note says from when on."""
    track = Track(np.ones((8, 478, 3), np.float32), np.ones(8, bool), np.ones(8, np.float32), changed_frames=(5,))
    notes = list[str]()
    valid = reader(World([]), notes)._person_alone(Path("clip.mp4"), Followed(track), Fraction(25))
    assert valid.tolist() == [True] * 5 + [False] * 3
    assert any("from 0.20 s on only another person" in note for note in notes)


def test_pictures_take_the_place_of_a_clip(tmp_path: Path) -> None:
    """Two are enough; one is not; and pictures do not mix with clips."""
    world = Filmed([[Figure(90)], [Figure(200)], []])
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path, picture in zip(paths, world.pictures(), strict=True):
        write_image(path, picture)
    cache = reader(world, []).cache(paths[:2], tmp_path / "frames")
    assert cache.valid.tolist() == [True, True]
    assert np.abs(cache.points[0, :, :2] - cache.points[1, :, :2]).max() < 2
    seen, held_out = parts_of(cache, still=True)
    assert (seen.tolist(), held_out.tolist()) == ([0, 1], [])
    with pytest.raises(InputError, match="is one picture"):
        reader(world, []).cache(paths[:1], tmp_path / "other")
    with pytest.raises(NoFaceError, match=r"2\.png: no face"):
        reader(world, []).cache(paths, tmp_path / "other")
    film = filmed(Filmed([[Figure(90)]] * 3), tmp_path / "clip.mp4")
    with pytest.raises(InputError, match="names 2 files"):
        reader(world, []).cache([paths[0], film], tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_pictures_of_two_people_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the shapes of the faces, with their distance."""
    world = Filmed([[Figure(90)], [Figure(200)]])
    paths = [tmp_path / f"{number}.png" for number in range(2)]
    for path, picture in zip(paths, world.pictures(), strict=True):
        write_image(path, picture)
    monkeypatch.setattr(person_frames, "compare", lambda *_: Comparison(0.05, 0.1))
    with pytest.raises(InputError, match=r"1\.png: shows another person than .*0\.png.* 0\.050 eye distances"):
        reader(world, []).cache(paths, tmp_path / "frames")
    assert not (tmp_path / "frames").exists()
