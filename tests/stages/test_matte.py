"""The stage `matte` on a photograph, a clip of it, and media that show nobody."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facepipe.engine import Artefact, Workspace
from facepipe.errors import NoFaceError
from facepipe.media.decode import decode_frames
from facepipe.media.encode import VideoWriter
from facepipe.media.image import read_image, write_image
from facepipe.media.probe import probe_video
from facepipe.stages import matte
from facepipe.weights import find
from tests.pipeline.scene import Scene


def make(work: Path, media: Path, *, alpha: bool = False) -> Artefact:
    workspace = Workspace(work)
    return workspace.execute(
        workspace.decide(matte.STAGE, {"media": media}, matte.Params(alpha, 80), {"matting": find("matting")})
    )


@pytest.fixture
def nobody(tmp_path: Path) -> Path:
    write_image(tmp_path / "nobody.png", np.full((90, 120, 3), (60, 120, 90), np.uint8))
    return tmp_path / "nobody.png"


def test_the_matte_of_a_picture_is_grey_and_of_its_size(scene: Scene, tmp_path: Path) -> None:
    made = make(tmp_path, scene.portrait)
    assert set(made.record.outputs) == {"matte.png"}
    with Image.open(made.path("matte.png")) as image:
        assert (image.mode, image.size) == ("L", (320, 300))
        assert made.facts["mean_share"] == pytest.approx(np.asarray(image).mean() / 255, abs=0.003)


def test_the_alpha_of_a_picture_is_its_matte(scene: Scene, tmp_path: Path) -> None:
    grey = read_image(make(tmp_path, scene.portrait).path("matte.png"))[..., 0]
    with Image.open(make(tmp_path, scene.portrait, alpha=True).path("alpha.png")) as image:
        pixels = np.asarray(image)
    np.testing.assert_array_equal(pixels[..., 3], grey)
    person, picture = grey == 255, read_image(scene.portrait)
    assert 0.1 < person.mean() < 0.9
    np.testing.assert_array_equal(pixels[person, :3], picture[person])
    nothing = grey == 0
    assert nothing.mean() > 0.1
    assert np.abs(pixels[nothing, :3].astype(int) - picture[nothing]).mean() > 5, "the background is not kept"


def test_the_matte_of_a_clip_has_its_frames(scene: Scene, tmp_path: Path) -> None:
    """The encoded levels are those of the picture's matte, as the clip hardly moves at its beginning."""
    made = make(tmp_path, scene.driver)
    info, given = probe_video(made.path("matte.mp4")), probe_video(scene.driver)
    assert (info.frame_count_estimate, info.fps, info.width) == (20, given.fps, given.width)
    first = next(decode_frames(made.path("matte.mp4")))
    assert np.abs(first.astype(int) - first[..., :1]).max() <= 2, "grey"
    picture = next(decode_frames(scene.driver))
    write_image(tmp_path / "first.png", picture)
    still = read_image(make(tmp_path, tmp_path / "first.png").path("matte.png"))
    assert np.abs(still.astype(int) - first).mean() < 4


def test_the_alpha_of_a_clip_is_a_webm(scene: Scene, tmp_path: Path) -> None:
    made = make(tmp_path, scene.driver, alpha=True)
    assert set(made.record.outputs) == {"alpha.webm"}
    frame = next(decode_frames(made.path("alpha.webm"), alpha=True))
    assert (frame[..., 3] > 250).any()
    assert (frame[..., 3] < 5).any()


def test_frames_without_a_person_are_counted(scene: Scene, tmp_path: Path) -> None:
    """Two frames of the photograph, then a still of one colour: its mattes are black, and a remark says how many."""
    picture = read_image(scene.portrait)
    with VideoWriter(tmp_path / "clip.mp4", size=(320, 300), fps=Fraction(25)) as writer:
        for frame in (picture, picture, *[np.full_like(picture, 90)] * 3):
            writer.write(frame)
    facts = make(tmp_path, tmp_path / "clip.mp4").facts
    assert (facts["frames"], facts["frames_without_person"]) == (5, 3)
    assert "empty-matte" in [one["code"] for one in facts["remarks"]]


def test_a_medium_without_a_person_is_refused_and_leaves_nothing(nobody: Path, tmp_path: Path) -> None:
    with pytest.raises(NoFaceError, match="no person was found in it"):
        make(tmp_path / "work", nobody)
    with VideoWriter(tmp_path / "nobody.mp4", size=(120, 90), fps=Fraction(25)) as writer:
        for _ in range(4):
            writer.write(read_image(nobody))
    with pytest.raises(NoFaceError, match="in 4 frames"):
        make(tmp_path / "work", tmp_path / "nobody.mp4")
    assert not [*(tmp_path / "work").rglob("matte.*")]
