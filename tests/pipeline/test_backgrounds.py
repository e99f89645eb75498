"""--background in whole jobs, with a toy renderer whose frames have alpha, and with one whose frames have none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import facepipe
from facepipe.errors import FacepipeError
from facepipe.media.decode import decode_frames
from facepipe.media.image import read_image, write_image
from facepipe.media.probe import probe_video
from facepipe.pipeline import rendering
from facepipe.renderers import RENDERERS
from facepipe.rendering.background_rule import MATTING
from facepipe.rendering.filling import hidden_by
from facepipe.weights import WeightFile, find
from tests.pipeline.scene import Scene, run
from tests.rendering import cutout

SIZE = 64
TOY = ("--renderer", "cutout", "--size", str(SIZE))


def matte_of(picture: np.ndarray) -> np.ndarray:
    """Return a matte for a network: an ellipse in the middle."""
    side = len(picture)
    rows, columns = np.mgrid[:side, :side] / (side - 1)
    return np.clip((0.35 - np.hypot(rows - 0.5, columns - 0.5)) * 20, 0, 1).astype(np.float32)


def found(*names: str) -> dict[str, WeightFile]:
    """Return weights; the file of the matting network, which is not opened here, is another one."""
    return {name: find("face-model" if name == MATTING else name) for name in names}


@pytest.fixture(autouse=True)
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Add the toy renderer, and a matting network that is a function."""
    monkeypatch.setitem(RENDERERS, "cutout", cutout.SPEC)  # type: ignore[misc]
    monkeypatch.setattr("facepipe.rendering.matting.open_matting", lambda _: matte_of)
    monkeypatch.setattr(rendering, "find_weights", found)
    monkeypatch.chdir(tmp_path)


def remarks_of(out: Path) -> list[str]:
    return [remark["code"] for remark in json.loads(Path(f"{out}.json").read_text("utf-8"))["remarks"]]


def background_of(frame: np.ndarray) -> np.ndarray:
    """Return the upper corners, which show no person in any frame."""
    return np.concatenate([frame[:6, :6], frame[:6, -6:]])


def test_a_webm_is_transparent_and_an_mp4_is_not(scene: Scene) -> None:
    scene.run("render", scene.portrait, scene.motion, *TOY, "-o", "out.webm")
    scene.run("render", scene.portrait, scene.motion, *TOY, "-o", "out.mp4")
    info = probe_video(Path("out.webm"))
    assert (info.codec, info.has_alpha, info.frame_count_estimate) == ("vp9", True, 20)
    first, *_, last = decode_frames(Path("out.webm"), alpha=True)
    assert background_of(first)[..., 3].max() < 10
    assert first[32, 32, 3] > 245
    alpha = [np.average(np.arange(SIZE), weights=frame[..., 3].sum(axis=0)) for frame in (first, last)]
    assert alpha[1] > alpha[0] + 5  # the ellipse moves to the right
    assert not probe_video(Path("out.mp4")).has_alpha
    options = json.loads(Path("out.webm.json").read_text("utf-8"))["options"]
    assert (options["background"], options["codec"]) == ("transparent", "vp9")


def test_the_sound_is_kept_and_an_explicit_background_wins(scene: Scene) -> None:
    result = facepipe.reenact(
        scene.portrait, scene.driver, out="out.webm", renderer="cutout", background="white", size=SIZE, work=scene.work
    )
    info = probe_video(Path("out.webm"))
    assert (info.has_alpha, info.sound_codec) == (False, "opus")
    assert "sound-encoded" in remarks_of(result.paths[0])
    assert background_of(next(decode_frames(Path("out.webm")))).min() > 245


@pytest.mark.parametrize(("given", "colour"), [("white", 255), ("black", 0), ("#40f", (68, 0, 255))])
def test_a_colour_is_exact_in_a_png(scene: Scene, given: str, colour: Any) -> None:
    scene.run("edit", scene.portrait, *TOY, "--background", given, "-o", "out.png")
    assert (background_of(read_image(Path("out.png"))) == colour).all()


def test_source_keeps_what_the_person_does_not_hide(scene: Scene) -> None:
    scene.run("edit", scene.portrait, *TOY, "--background", "source", "-o", "out.png")
    scene.run("edit", scene.portrait, *TOY, "-o", "default.png")
    assert Path("out.png").read_bytes() == Path("default.png").read_bytes()
    stages = json.loads(Path("out.png.json").read_text("utf-8"))["stages"]
    crop = next(one for one in stages if one["stage"] == "crop")["fingerprint"]
    source = read_image(scene.work / "crop" / crop[:2] / crop / "crop.png")
    outside = ~hidden_by(matte_of(source))
    (frame,) = facepipe.frames(
        scene.portrait, scene.portrait, renderer="cutout", background="transparent", size=SIZE, work=scene.work
    )
    behind = outside & (frame[..., 3] == 0)
    np.testing.assert_array_equal(read_image(Path("out.png"))[behind], source[behind])


def test_a_picture_covers_the_background_and_is_recorded(scene: Scene, tmp_path: Path) -> None:
    picture = Image.fromarray(np.full((10, 30, 4), (0, 0, 255, 255), np.uint8))
    picture.putpixel((15, 5), (0, 0, 255, 0))
    picture.save("sea.png")
    scene.run("edit", scene.portrait, *TOY, "--background", "sea.png", "-o", "out.png")
    assert (background_of(read_image(Path("out.png"))) == (0, 0, 255)).all()
    record = json.loads(Path("out.png.json").read_text("utf-8"))
    assert len(record["inputs"]["background"]["sha256"]) == 64
    assert "transparency" in remarks_of(Path("out.png"))
    assert str(tmp_path / "sea.png") in run("explain", "out.png").stdout
    write_image(Path("sea.png"), np.full((10, 30, 3), (255, 0, 0), np.uint8))
    scene.run("edit", scene.portrait, *TOY, "--background", "sea.png", "-o", "out.png")
    assert (background_of(read_image(Path("out.png"))) == (255, 0, 0)).all()


def test_stills_and_arrays_have_alpha_on_request(scene: Scene) -> None:
    for name in ("out.png", "out.webp"):
        scene.run("edit", scene.portrait, *TOY, "--background", "transparent", "-o", name)
        with Image.open(name) as image:
            assert image.mode == "RGBA"
            alpha = np.asarray(image)[..., 3]
        assert (alpha[0, 0], alpha[32, 32]) == (0, 255)
    frames = list(
        facepipe.frames(
            scene.portrait, scene.motion, renderer="cutout", background="transparent", size=SIZE, work=scene.work
        )
    )
    assert {frame.shape for frame in frames} == {(SIZE, SIZE, 4)}


def test_a_default_name_ends_in_webm_if_it_is_transparent(scene: Scene) -> None:
    scene.run("reenact", scene.portrait, scene.motion, *TOY, "--background", "transparent")
    assert Path("portrait--motion.webm").is_file()


def test_pasted_back_the_head_is_over_the_filled_picture(scene: Scene) -> None:
    scene.run("edit", scene.portrait, *TOY, "--paste-back", "-o", "out.png")
    assert read_image(Path("out.png")).shape == read_image(scene.portrait).shape


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--background", "transparent", "-o", "x.mp4"), "ending in .webm"),
        (("--background", "transparent", "-o", "x.jpg"), "ending in .png or .webp"),
        (("--background", "transparent", "--grid", "-o", "x.webm"), "--grid shows"),
        (("--background", "transparent", "--paste-back", "-o", "x.webm"), "--paste-back shows"),
        (("--background", "white", "--paste-back", "-o", "x.mp4"), "--paste-back shows"),
        (("--background", "green", "-o", "x.mp4"), "expected auto, source"),
        (("--background", "none.png", "-o", "x.mp4"), "is no file"),
        (("--background", "clip.mp4", "-o", "x.mp4"), "a video; give a picture"),
        (("--codec", "h265", "-o", "x.webm"), "holds vp9 only"),
    ],
)
def test_what_cannot_be_made_is_refused_at_once(scene: Scene, arguments: tuple[str, ...], said: str) -> None:
    Path("clip.mp4").symlink_to(scene.driver)
    outcome = run("reenact", scene.portrait, scene.driver, *TOY, *arguments, "--work", scene.work)
    assert outcome.exit_code == 2
    assert said in " ".join(outcome.stderr.split())
    assert not list(Path.cwd().glob("x.*"))


def test_a_webm_cannot_be_signed(scene: Scene) -> None:
    with pytest.raises(FacepipeError, match="cannot be signed"):
        facepipe.reenact(scene.portrait, scene.motion, out="x.webm", certificate="a.pem", key="b.pem")
