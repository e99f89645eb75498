"""The motion space `bfm` from files to coefficients, and the errors without its weights; networks are small, random."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from facepipe import weights
from facepipe.face.bfm.alignment import align, cut_square
from facepipe.face.bfm.network import Regressor
from facepipe.face.cropping import sample, transform_points
from facepipe.face.model import load_face_model
from facepipe.face.track import load_track
from facepipe.media.decode import decode_frames
from facepipe.media.image import from_tensor, read_image, to_tensor, write_image
from facepipe.media.probe import probe_video
from facepipe.renderers.pirender import inference
from facepipe.renderers.pirender import renderer as pirender_renderer
from facepipe.renderers.pirender.net import Pirender
from facepipe.spaces.bfm.descriptor import CROP, windows, with_crop
from tests.pipeline.compilation import compilations
from tests.pipeline.official_weights import add_bfm, add_deep3d, add_pirender
from tests.pipeline.scene import Scene, bfm_of, run

OFFICIAL = ("--space", "bfm", "--weights", "pirender-official")
pytestmark = pytest.mark.usefixtures("mine")


def test_a_clip_gives_what_each_frame_alone_gives(scene: Scene, mine: Path) -> None:
    """Cropped to 256 by ffmpeg in one go, or frame by frame from whole pictures by OpenCV."""
    add_deep3d(mine)
    scene.run("coefficients", scene.driver, "-o", mine / "driver.npz", "--space", "bfm")
    scene.run("crop", scene.driver, "-o", mine / "driver.mp4")
    found, file = bfm_of(mine / "driver.npz"), load_track(mine / "driver.track.npz")
    info, regressor = probe_video(scene.driver), Regressor(weights.find("deep3d").path)
    sixty_eight = load_face_model(weights.find("face-model").path).sixty_eight
    assert (len(found), found.fps) == (info.frame_count_estimate, info.fps)
    for index, frame in enumerate(decode_frames(scene.driver, info=info)):
        points = transform_points(file.track.points[index, sixty_eight].astype(float), file.crop.matrix(256))
        alignment = align(points[:, :2], (256, 256))
        np.testing.assert_allclose(found.crops[index, 0], alignment.scale, rtol=0.005)
        np.testing.assert_allclose(found.crops[index, 1:], [alignment.x, alignment.y], atol=0.02)
        row = regressor.estimate([cut_square(sample(frame, file.crop, 256), alignment)])[0]
        near = np.abs(row[80:144] - found.expression[index]).mean()
        assert near < 0.1 * np.abs(row[80:144]).mean()
    assert not found.residual.any()


def test_a_picture_gives_one_row(scene: Scene, mine: Path) -> None:
    """Aligned by its 68 points; the face model, where it is there, tells how well its own points lie on them."""
    add_deep3d(mine)
    scene.run("coefficients", scene.portrait, "-o", mine / "a.npz", "--space", "bfm")
    add_bfm(mine)
    scene.run("coefficients", scene.portrait, "-o", mine / "b.npz", "--space", "bfm")
    first, second = bfm_of(mine / "a.npz"), bfm_of(mine / "b.npz")
    np.testing.assert_array_equal(first.crops, second.crops)
    assert (len(first), float(first.residual[0])) == (1, 0.0)
    assert second.residual[0] > 0
    facts = [stage["facts"] for stage in json.loads((mine / "b.npz.json").read_text())["stages"]]
    assert facts[1]["reprojection_error"] == pytest.approx(float(second.residual[0]), abs=1e-4)
    height, width = read_image(scene.portrait).shape[:2]
    assert first.picture_size == (width, height)
    # A face that fills the crop as in VoxCeleb: the published coefficients were trained with such.
    assert 0.8 < first.crops[0, 0] < 1.6
    assert (np.abs(first.crops[0, 1:] - 128) < 40).all()


def test_the_same_again_is_kept(scene: Scene, mine: Path) -> None:
    """Nothing is made twice; the other space shares the track."""
    add_deep3d(mine)
    command = ("coefficients", scene.driver, "-o", mine / "d.npz", "--space", "bfm", "--json")
    scene.run(*command)
    assert scene.run(*command).made() == []
    other = scene.run("coefficients", scene.driver, "-o", mine / "f.npz", "--force", "coefficients", "--json")
    assert [label.split()[0] for label in other.made()] == ["fit"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (
            ("coefficients", "{portrait}", "-o", "x.npz", "--space", "bfm"),
            3,
            ("deep3d", "epoch_20.pth", "Deep3DFaceRecon"),
        ),
        (
            ("reenact", "{portrait}", "{driver}", "-o", "x.mp4", "--weights", "pirender-official"),
            3,
            ("epoch_20.pth", "weights add deep3d", "pirender-official", "RenYurui/PIRender", "weights add pirender"),
        ),
        (
            ("reenact", "{portrait}", "{driver}", "-o", "x.mp4", "--space", "bfm", "--renderer", "mesh"),
            3,
            ("epoch_20.pth", "the renderer mesh needs", "this job uses bfm", "renderers for that: pirender"),
        ),
        (
            ("coefficients", "{portrait}", "-o", "x.npz", "--space", "flame"),
            2,
            ("'flame'", "auto, linear478, keypoints68, arkit52, imf_tokens, bfm"),
        ),
    ],
    ids=["no network", "no renderer", "mesh", "no such space"],
)
def test_what_is_missing_is_said(
    arguments: tuple[str, ...], code: int, words: tuple[str, ...], scene: Scene, mine: Path
) -> None:
    """Which file, where it is to be had, how it comes in; nothing is left behind."""
    filled = [text.format(portrait=scene.portrait, driver=scene.driver) for text in arguments]
    outcome = run(*(str(mine / text) if text.startswith("x.") else text for text in filled), "--work", scene.work)
    assert outcome.exit_code == code, outcome.stderr
    assert all(word in outcome.stderr for word in words), outcome.stderr
    assert not list(mine.glob("x.*"))


def test_a_track_alone_has_no_pictures(scene: Scene, mine: Path) -> None:
    add_deep3d(mine)
    scene.run("crop", scene.portrait, "-o", mine / "a.png")
    outcome = run("coefficients", mine / "a.track.npz", "-o", mine / "x.npz", "--space", "bfm", "--work", scene.work)
    assert outcome.exit_code in (2, 3)
    assert "a.track.npz" in outcome.stderr
    assert "give the picture or video itself" in outcome.stderr


def test_a_folder_gives_its_media_even_where_tracks_lie_beside(scene: Scene, mine: Path) -> None:
    """Tracks are for the other space."""
    add_deep3d(mine)
    (mine / "in").mkdir()
    shutil.copy(scene.portrait, mine / "in/a.png")
    scene.run("crop", mine / "in/a.png", "-o", mine / "in/b.png")
    assert sorted(path.name for path in (mine / "in").glob("*.npz")) == ["b.track.npz"]
    scene.run("coefficients", mine / "in", "-o", mine / "out", "--space", "bfm")
    assert sorted(path.name for path in (mine / "out").glob("*.npz")) == ["a.npz", "b.npz"]


def frames_of(path: Path) -> NDArray[np.uint8]:
    return np.stack(list(decode_frames(path, info=probe_video(path))))


def descriptors(source: Path, driver: Path) -> NDArray[np.floating]:
    """The windows of the published way: crop rule over the whole clip, then windows over the whole clip."""
    return windows(with_crop(bfm_of(source).descriptor_rows()[0], bfm_of(driver).descriptor_rows(), "adapt"))


def test_the_published_pipeline_from_raw_files(scene: Scene, mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In whatever segments it is rendered, each frame is drawn from the window that it has in the whole clip."""
    add_deep3d(mine)
    add_pirender(mine)
    work = mine / "work"
    monkeypatch.setenv("FACEPIPE_WORK_SEGMENT_FRAMES", "7")
    for name, media in (("source", scene.portrait), ("driver", scene.driver)):
        assert run("coefficients", media, "-o", mine / f"{name}.npz", "--space", "bfm", "--work", work).exit_code == 0
    outcome = run("reenact", scene.portrait, scene.driver, "-o", mine / "out.mp4", *OFFICIAL, "--work", work, "--json")
    assert outcome.exit_code == 0, outcome.stderr
    # The source is fitted again, as a portrait: its remarks are about that.
    begin = ["crop", "fit", "prepare"]
    assert [label.split()[0] for label in outcome.made()] == begin + 3 * ["motion", "render"] + ["mux"]
    seen = []
    for record in sorted(work.glob("motion/*/*/record.json"), key=lambda path: first_frame(path)):
        first, rows = first_frame(record), bfm_of(record.with_name("motion.npz")).descriptor_rows()
        lead = min(first, 13)
        seen.append(windows(rows, lead, min(lead + 7, len(rows))))
    np.testing.assert_allclose(np.concatenate(seen), descriptors(mine / "source.npz", mine / "driver.npz"), rtol=1e-6)
    info = probe_video(mine / "out.mp4")
    assert (info.width, info.height, info.fps, info.has_sound) == (256, 256, probe_video(scene.driver).fps, True)
    assert len(frames_of(mine / "out.mp4")) == len(frames_of(scene.driver))


def first_frame(record: Path) -> int:
    return int(json.loads(record.read_text())["params"]["first_frame"])


def test_a_picture_is_drawn_as_the_whole_network_draws_it(
    scene: Scene, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the last bit but one, from raw files to the result; in full precision, also where half is faster."""
    monkeypatch.setattr(inference, "compute_dtype", lambda **_: torch.float32)
    add_deep3d(mine)
    net = add_pirender(mine)
    other = mine / "other.png"
    write_image(other, np.ascontiguousarray(read_image(scene.portrait)[:, ::-1]))
    scene.run("reenact", scene.portrait, other, "-o", mine / "out.png", *OFFICIAL)
    for name, media in (("source", scene.portrait), ("driver", other)):
        scene.run("coefficients", media, "-o", mine / f"{name}.npz", "--space", "bfm")
    scene.run("crop", scene.portrait, "-o", mine / "portrait.png")
    made = read_image(mine / "out.png")
    assert np.abs(made.astype(int) - drawn_plainly(net, mine)).max() <= 1
    (mine / "driver.npz").write_bytes((mine / "source.npz").read_bytes())
    assert np.abs(made.astype(int) - drawn_plainly(net, mine)).mean() > 0.5


def drawn_plainly(net: Pirender, folder: Path) -> NDArray[np.uint8]:
    """What the whole network makes of portrait.png, source.npz and driver.npz in a folder."""
    driving = torch.from_numpy(descriptors(folder / "source.npz", folder / "driver.npz")).float()
    with torch.inference_mode():
        made = net(to_tensor(read_image(folder / "portrait.png"))[None], driving).fake_image
    assert made is not None
    drawn: NDArray[np.uint8] = from_tensor(made)[0]
    return drawn


def test_files_of_coefficients_drive_too(scene: Scene, mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own and, converted, the published ones; sliders turn the head on top; compiled where that is wanted."""
    add_deep3d(mine)
    add_pirender(mine)
    scene.run("coefficients", scene.driver, "-o", mine / "d.npz", "--space", "bfm")
    assert run("convert", mine / "d.npz", "-o", mine / "d.mat").exit_code == 0
    assert run("convert", mine / "d.mat", "-o", mine / "e.npz").exit_code == 0
    scene.run("reenact", scene.portrait, mine / "e.npz", "-o", mine / "out.mp4", *OFFICIAL)
    scene.run("motion", scene.portrait, mine / "d.npz", "-o", mine / "m.npz", "--space", "bfm")
    driver, retargeted = bfm_of(mine / "d.npz"), bfm_of(mine / "m.npz")
    np.testing.assert_allclose(retargeted.descriptor_rows()[:, : CROP.start], driver.descriptor_rows()[:, : CROP.start])
    scene.run("render", scene.portrait, mine / "m.npz", "-o", mine / "again.mp4", *OFFICIAL)
    np.testing.assert_array_equal(frames_of(mine / "again.mp4"), frames_of(mine / "out.mp4"))
    compiled = compilations(pirender_renderer, monkeypatch)
    scene.run("edit", scene.portrait, "-o", mine / "turned.png", *OFFICIAL, "--yaw", "20", "--compile")
    assert compiled == ["render"]
    scene.run("edit", scene.portrait, "-o", mine / "same.png", *OFFICIAL, "--yaw", "0")
    assert (read_image(mine / "turned.png") != read_image(mine / "same.png")).any()


def test_no_space_is_taken_for_the_other(scene: Scene, mine: Path) -> None:
    """A file, a renderer, a size, a slider of the other space: each is refused before the work begins."""
    add_deep3d(mine)
    add_pirender(mine)
    scene.run("coefficients", scene.portrait, "-o", mine / "b.npz", "--space", "bfm")
    x, portrait = mine / "x.mp4", scene.portrait
    cases = [
        (("reenact", portrait, scene.motion, "-o", x, *OFFICIAL), 3, ("'linear478'", "'bfm' is needed", "--space bfm")),
        (("reenact", portrait, mine / "b.npz", "-o", x), 3, ("'bfm'", "'linear478' is needed")),
        (("render", portrait, mine / "b.npz", "-o", x), 3, ("'bfm'", "'linear478' is needed")),
        (("motion", scene.motion, mine / "b.npz", "-o", mine / "x.npz"), 3, ("b.npz", "'linear478' is needed")),
        (
            ("reenact", portrait, scene.driver, "-o", x, "--renderer", "pirender", "--space", "linear478"),
            2,
            ("pirender",),
        ),
        (
            ("reenact", portrait, scene.driver, "-o", x, "--renderer", "mesh", *OFFICIAL),
            2,
            ("mesh", "linear478", "bfm"),
        ),
        (
            ("reenact", portrait, scene.driver, "-o", x, "--weights", "detector"),
            2,
            ("--weights is detector", "a network of kind detector"),
        ),
        (("reenact", portrait, scene.driver, "-o", x, *OFFICIAL, "--size", "512"), 2, ("--size is 512", "256")),
        (("edit", portrait, "-o", mine / "x.png", *OFFICIAL, "--smile", "1"), 2, ("slider smile", "yaw, pitch, roll")),
    ]
    for arguments, code, words in cases:
        outcome = run(*arguments, "--work", scene.work)
        assert outcome.exit_code == code, (arguments, outcome.stderr)
        assert all(word in outcome.stderr for word in words), outcome.stderr
    assert not list(mine.glob("x.*"))
