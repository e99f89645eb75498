"""Faces in pictures that are too dark, too bright or too flat for the detector."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facepipe.errors import ExitCode
from facepipe.face.detector import Detector
from facepipe.face.finding import Finder
from facepipe.face.following import Follower, View, find_view
from facepipe.face.landmarker import Landmarker
from facepipe.face.light import light_of
from facepipe.media.image import write_image
from facepipe.weights import find
from tests.field.people import Picture, cropped, first, remarks, write_clip
from tests.pipeline.scene import run


def scaled(gain: float, offset: float = 0) -> Picture:
    """The astronaut with levels multiplied, and moved."""
    return np.asarray(np.clip(first() * gain + offset, 0, 255), np.uint8)


LIGHTS = {"dark": scaled(0.12), "bright": scaled(2.2, 40), "flat": scaled(0.1, 120), "night": scaled(0.04)}


@pytest.mark.parametrize("name", LIGHTS)
def test_a_face_in_poor_light_is_found_and_said(name: str, tmp_path: Path) -> None:
    """The landmarks are those of the picture in ordinary light, and the crop keeps its light."""
    write_image(tmp_path / "plain.png", first())
    write_image(tmp_path / "poor.png", LIGHTS[name])
    outcome, track = cropped(tmp_path / "poor.png")
    word = "dark" if name == "night" else name
    assert f"too {word}" in remarks(outcome)["poor-light"]
    plain_outcome, plain = cropped(tmp_path / "plain.png")
    assert "poor-light" not in remarks(plain_outcome)
    assert np.abs(track.points - plain.points)[..., :2].mean() < 4
    made = np.asarray(Image.open(tmp_path / "out" / "poor.png"))
    before = np.asarray(Image.open(tmp_path / "out" / "plain.png"))
    expected = {"dark": (0.12, 0), "bright": (2.2, 40), "flat": (0.1, 120), "night": (0.04, 0)}[name]
    assert abs(made.mean() - np.clip(before * expected[0] + expected[1], 0, 255).mean()) < 3


def test_12_bits_in_a_file_of_16_are_found(tmp_path: Path) -> None:
    """Such a picture has a sixteenth of its light."""
    grey = np.asarray(Image.fromarray(first()).convert("L"))
    Image.fromarray(grey.astype(np.uint16) * 16).save(tmp_path / "deep.tiff")
    assert "too dark" in remarks(cropped(tmp_path / "deep.tiff")[0])["poor-light"]


def test_a_dark_clip_is_followed(tmp_path: Path) -> None:
    """All frames are valid, by the same view."""
    outcome, track = cropped(write_clip(tmp_path / "dark.mp4", [scaled(0.12)] * 6))
    assert track.valid.all()
    assert "poor-light" in remarks(outcome)


@pytest.mark.parametrize(("level", "told"), [(3, "too dark (mean level"), (252, "too bright (mean level"), (120, None)])
def test_a_refusal_names_extreme_light(level: int, told: str | None, tmp_path: Path) -> None:
    """A picture without a face: noise around a level."""
    noise = np.random.default_rng(0).integers(-3, 4, (200, 200, 3)) + level
    if told is None:
        noise[:100] = 255
        noise[:, :60] = 20
    write_image(tmp_path / "none.png", noise.clip(0, 255).astype(np.uint8))
    outcome = run("crop", tmp_path / "none.png", "-o", tmp_path / "out.png", "--work", tmp_path / "work")
    assert outcome.exit_code == ExitCode.FAILED_ITEMS
    text = " ".join(outcome.stderr.split())
    assert (told in text) if told else ("mean level" not in text)


def test_ordinary_media_are_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A face that is found at once costs no look at the light of the medium."""
    detector, landmarker = Detector(find("detector").path), Landmarker(find("landmarker").path)
    monkeypatch.setattr("facepipe.face.following.find_view", lambda *_: pytest.fail("looked again"))
    monkeypatch.setattr("facepipe.face.following.light_of", lambda *_: pytest.fail("measured"))
    followed = Follower(detector, landmarker, 25.0).follow(lambda _: (picture for picture in [first()]))
    assert followed.track.valid.all()


def test_a_dark_picture_on_its_side_is_turned_and_lit() -> None:
    """Both are needed together."""
    finder = Finder(Detector(find("detector").path), Landmarker(find("landmarker").path))
    side = np.ascontiguousarray(np.rot90(LIGHTS["dark"]))
    view = find_view(finder, [side])
    assert view.turned_degrees == 90
    assert view.table is not None
    assert find_view(finder, [first()]) == View()
    assert light_of([first()]).word == ""


def test_a_small_face_is_said(tmp_path: Path) -> None:
    """With its size in pixels; larger faces are not."""
    for side in (110, 320):
        picture = np.full((500, 500, 3), 128, np.uint8)
        picture[50 : 50 + side * 300 // 320, 50 : 50 + side] = np.asarray(
            Image.fromarray(first()).resize((side, side * 300 // 320))
        )
        write_image(tmp_path / f"{side}.png", picture)
    small = remarks(cropped(tmp_path / "110.png")[0])["small-face"]
    assert any(f"{pixels} pixels" in small for pixels in range(33, 42)), small
    assert "100" in small
    assert "small-face" not in remarks(cropped(tmp_path / "320.png")[0])
