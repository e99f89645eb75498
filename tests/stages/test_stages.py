"""Each stage on small input: its outputs, and identical bytes when it runs twice."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facepipe.engine import Artefact, Stage, Workspace
from facepipe.engine.stage import bare
from facepipe.engine.workspace import Input
from facepipe.errors import NoFaceError
from facepipe.face.clip_candidates import load_candidates
from facepipe.face.spans import Span
from facepipe.face.track import load_track
from facepipe.media.image import read_image, write_image
from facepipe.media.probe import probe_video
from facepipe.motion.sliders import Edit
from facepipe.motion.synthesis import SamplingOptions
from facepipe.spaces import SPACES
from facepipe.spaces.arkit52.coefficients import UnitCoefficients
from facepipe.spaces.files import load_coefficients
from facepipe.stages import (
    NAMES,
    assemble,
    avatar,
    blendshapes,
    clip,
    coefficients,
    create,
    crop,
    decode,
    encode,
    features,
    matte,
    motion,
    mux,
    opus,
    person,
    portrait,
    prepare,
    render,
    report,
    selection,
    sheet,
    sign,
    spans,
    speech,
    take,
    utterances,
)
from facepipe.weights import find
from tests.media.sounds import write_voice
from tests.pipeline.scene import Scene

STAGES: tuple[Stage[Any], ...] = (
    crop.STAGE,
    avatar.STAGE,
    portrait.STAGE,
    matte.STAGE,
    selection.STAGE,
    coefficients.STAGE,
    create.STAGE,
    take.STAGE,
    person.STAGE,
    features.STAGE,
    speech.STAGE,
    motion.STAGE,
    blendshapes.STAGE,
    prepare.STAGE,
    render.STAGE,
    mux.STAGE,
    sign.STAGE,
    sheet.STAGE,
    report.STAGE,
    spans.STAGE,
    utterances.STAGE,
    clip.STAGE,
    encode.STAGE,
    opus.STAGE,
    assemble.STAGE,
    decode.STAGE,
)


def make(work: Path, stage: Stage[Any], inputs: Mapping[str, Any], params: Any) -> Artefact:
    """Run a stage twice, check that the outputs are identical, and return the second result."""
    names = {bare(name) for name in stage.weights} & {"detector", "landmarker", "face-model", "face-units", "matting"}
    workspace, weights = Workspace(work), {name: find(name) for name in names}
    first, again = (
        workspace.execute(workspace.decide(stage, inputs, params, weights, force=force)) for force in (False, True)
    )
    assert dict(first.record.outputs) == dict(again.record.outputs), "the outputs of two runs differ"
    return again


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def still(scene: Scene, work: Path) -> Artefact:
    return make(work, crop.STAGE, {"media": scene.portrait}, crop.Params(size_pixels=64))


@pytest.fixture(scope="module")
def rows(still: Artefact, work: Path) -> Artefact:
    return make(work, coefficients.STAGE, {"track": still.output("track.npz")}, coefficients.Params("none"))


def test_all_stages_are_listed() -> None:
    assert tuple(stage.name for stage in STAGES) == NAMES


def test_crop_of_a_picture(still: Artefact, scene: Scene) -> None:
    assert set(still.record.outputs) == {"track.npz", "crop.png"}
    assert read_image(still.path("crop.png")).shape == (64, 64, 3)
    track = load_track(still.path("track.npz"))
    assert track.picture_size == (320, 300)
    inside = track.track.points[0, :468, :2] - (track.crop.center_x, track.crop.center_y)
    assert np.abs(inside).max() < track.crop.side / 2


def test_crop_of_a_clip_and_of_one_frame_of_it(scene: Scene, work: Path) -> None:
    cropped = make(work, crop.STAGE, {"media": scene.driver}, crop.Params(size_pixels=64))
    assert set(cropped.record.outputs) == {"track.npz", "crop.mp4"}
    assert probe_video(cropped.path("crop.mp4")).frame_count_estimate == cropped.facts["frames"] == 20
    one = make(work, crop.STAGE, {"media": scene.driver}, crop.Params(size_pixels=64, still="7"))
    assert set(one.record.outputs) == {"track.npz", "crop.png", "picture.png"}
    assert load_track(one.path("track.npz")).frame == one.facts["frame"] == 7


def test_selected_frames_begin_with_the_portrait(scene: Scene, work: Path) -> None:
    """The first frame has the bytes that the stage crop gives for it."""
    clip = make(work, crop.STAGE, {"media": scene.driver}, crop.Params(pictures=False))
    one = make(work, crop.STAGE, {"media": scene.driver}, crop.Params(size_pixels=64, still="7"))
    inputs = {"media": scene.driver, "track": clip.output("track.npz")}
    several = make(work, selection.STAGE, inputs, selection.Params(2, still="7", size_pixels=64))
    assert [several.digest(name) for name in ("crop.png", "picture.png")] == [
        one.digest(name) for name in ("crop.png", "picture.png")
    ]
    assert {"crop-1.png", "picture-1.png", "track-1.npz"} < set(several.record.outputs)
    first, second = (load_track(several.path(name)) for name in ("track.npz", "track-1.npz"))
    assert np.array_equal(first.track.points, load_track(one.path("track.npz")).track.points)
    assert [first.frame, second.frame] == several.facts["chosen_frames"]
    pictures = [scene.driver, scene.driver]
    compared = {
        "media": pictures,
        "pictures": [several.output("picture.png"), several.output("picture-1.png")],
        "tracks": [several.output("track.npz"), several.output("track-1.npz")],
    }
    (found,) = make(work, person.STAGE, compared, person.Params()).facts["pictures"]
    assert 0 < found["distance"] < 0.03


def test_crop_of_a_picture_without_a_face(tmp_path: Path, work: Path) -> None:
    write_image(tmp_path / "grey.png", np.full((80, 80, 3), 120, np.uint8))
    with pytest.raises(NoFaceError, match="no face was found in it"):
        make(work, crop.STAGE, {"media": tmp_path / "grey.png"}, crop.Params())


@pytest.mark.parametrize("smoothing", ["none", "one-euro", "savitzky-golay"])
def test_coefficients_are_smoothed_if_asked(scene: Scene, work: Path, smoothing: str) -> None:
    clip = make(work, crop.STAGE, {"media": scene.driver}, crop.Params(pictures=False))
    made = make(work, coefficients.STAGE, {"track": clip.output("track.npz")}, coefficients.Params(smoothing=smoothing))
    assert len(load_coefficients(made.path("coefficients.npz"))) == 20
    if smoothing == "none":
        assert "jitter_smoothed" not in made.facts
    else:
        assert made.facts["jitter_smoothed"]["angles_radians"] < made.facts["jitter"]["angles_radians"]


def test_segments_of_motion_equal_the_whole(scene: Scene, rows: Artefact, work: Path) -> None:
    inputs: dict[str, Input] = {"source": rows, "driving": scene.motion}
    edit = Edit(sweeps={"yaw": (-5, 5)})
    parts = [
        load_coefficients(
            make(work, motion.STAGE, inputs, motion.Params(first_frame=first, frame_count=count, edit=edit)).path(
                "motion.npz"
            )
        )
        for first, count in ((0, 0), (0, 8), (8, 12))
    ]
    joined = np.concatenate([part.angles for part in parts[1:]])
    np.testing.assert_array_equal(joined, parts[0].angles)


def test_blendshapes_of_a_motion_file_and_back(scene: Scene, work: Path) -> None:
    """The take has the weights of the motion file that is written with it."""
    made = make(work, blendshapes.STAGE, {"motion": scene.motion}, blendshapes.Params())
    again = make(work, take.STAGE, {"take": made.output("blendshapes.csv")}, take.Params())
    first, second = (
        load_coefficients(one.path(name), space=SPACES["arkit52"])
        for one, name in ((made, "blendshapes.npz"), (again, "coefficients.npz"))
    )
    assert isinstance(first, UnitCoefficients)
    assert isinstance(second, UnitCoefficients)
    assert len(first) == len(second) == 20
    np.testing.assert_allclose(second.weights, first.weights, atol=1e-5)
    np.testing.assert_allclose(second.angles, first.angles, atol=1e-5)
    assert np.abs(second.expression).max() > 0.1


def test_speech_without_a_source_moves_the_face_at_rest(tmp_path: Path, work: Path) -> None:
    write_voice(tmp_path / "voice.wav", 1.0)
    heard = make(work, features.STAGE, {"sound": tmp_path / "voice.wav"}, features.Params())
    params = speech.Params(SamplingOptions(), frame_count=25)
    names = {name: find(name) for name in ("face-model", "face-units", "audio")}
    workspace = Workspace(work)
    spoken = workspace.execute(
        workspace.decide(speech.STAGE, {"features": heard.output("features.npz")}, params, names, force=False)
    )
    made = load_coefficients(spoken.path("motion.npz"), space=SPACES["arkit52"])
    assert isinstance(made, UnitCoefficients)
    assert not made.identity.any()
    assert np.ptp(made.weights, axis=0).max() > 0.02


def test_rendering_the_sources_own_coefficients_reproduces_its_picture(
    still: Artefact, rows: Artefact, work: Path
) -> None:
    inputs = {"picture": still.output("crop.png"), "track": still.output("track.npz"), "source": rows, "motion": rows}
    made = make(work, render.STAGE, inputs, render.Params("mesh", picture="png"))
    difference = read_image(made.path("picture.png")).astype(int) - read_image(still.path("crop.png"))
    assert np.abs(difference).mean() < 1.5


def test_mux_cuts_sound_with_its_frames(scene: Scene, work: Path) -> None:
    inputs = {"segments": [scene.driver, scene.driver], "sound": scene.driver, "kept": scene.motion}
    made = make(work, mux.STAGE, inputs, mux.Params(mute_segments=True))
    # All frames are kept here, but the sound is cut and encoded nevertheless.
    assert (made.facts["sound"], made.facts["frames"]) == ("encoded", 40)


def test_sheets_of_videos_and_pictures(scene: Scene, work: Path) -> None:
    video = make(work, sheet.STAGE, {"results": [scene.driver]}, sheet.Params(count=4, tile_height=64))
    picture = make(
        work, sheet.STAGE, {"results": [scene.portrait] * 2, "source": scene.portrait}, sheet.Params(labels=("a", "b"))
    )
    assert read_image(video.path("sheet.png")).shape[1] > 4 * 64
    assert read_image(picture.path("sheet.png")).shape[1] > 3 * 256


def test_spans_and_their_clips(scene: Scene, work: Path) -> None:
    made = make(work, spans.STAGE, {"media": scene.driver}, spans.Params())
    assert load_candidates(made.path("spans.json")).frames == 20
    inputs = {"media": scene.driver, "track": made.output("track.npz")}
    cut = make(work, clip.STAGE, inputs, clip.Params(Span(5, 15, 20, 10, 200), size_pixels=64))
    info, track = probe_video(cut.path("clip.mp4")), load_track(cut.path("track.npz"))
    assert (info.frame_count_estimate, info.width, info.has_sound) == (10, 64, True)
    whole = load_track(made.path("track.npz")).track.points[5:15, :, 0]
    np.testing.assert_allclose(track.track.points[:, :, 0], (whole + 0.5 - 20) * 64 / 200 - 0.5, atol=1e-3)
