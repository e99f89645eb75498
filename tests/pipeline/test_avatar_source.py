"""Avatars as sources of jobs: reenact, edit, batch, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facepipe.avatar.params import save_params
from facepipe.avatar.units import UNITS
from facepipe.avatar.vector import AvatarVector
from facepipe.media.limits import NO_LIMITS
from facepipe.media.probe import probe_video
from facepipe.spaces.arkit52.coefficients import resting
from facepipe.spaces.files import save_coefficients
from tests.export.avatar_head import needs_head
from tests.pipeline.scene import run

pytestmark = needs_head


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an avatar and a motion file of four frames in which the jaw opens."""
    made = tmp_path_factory.mktemp("avatar")
    vector = AvatarVector(choices={"hair": "crop", "brows": "soft"})
    save_params(vector, made / "me.json", head_digest="")
    motion = resting(4)
    motion.weights[:, UNITS.index("jawOpen")] = np.linspace(0, 0.9, 4)
    save_coefficients(motion, made / "jaw.npz")
    return made


def done(folder: Path, *arguments: str | Path, code: int = 0):  # type: ignore[no-untyped-def]
    outcome = run(*arguments, "--work", folder / "work", "--size", "64")
    assert outcome.exit_code == code, outcome.stderr
    return outcome


def test_reenact_follows_a_motion_file(folder: Path) -> None:
    out = folder / "jaw.mp4"
    done(folder, "reenact", folder / "me.json", folder / "jaw.npz", "-o", out)
    assert probe_video(out, NO_LIMITS).frame_count_estimate == 4
    record = json.loads((folder / "jaw.mp4.json").read_text("utf-8"))
    assert record["inputs"]["source"]["kind"] == "avatar"
    assert "avatar" in [stage["stage"] for stage in record["stages"]]
    again = done(folder, "reenact", folder / "me.json", folder / "jaw.npz", "-o", folder / "again.mp4")
    assert "made 1" in again.stderr or "kept" in again.stderr
    assert (folder / "again.mp4").read_bytes() == out.read_bytes()


def test_edit_draws_a_transparent_picture(folder: Path) -> None:
    out = folder / "smile.png"
    done(folder, "edit", folder / "me.json", "--smile", "0.8", "--background", "transparent", "-o", out)
    picture = np.asarray(Image.open(out))
    assert picture.shape == (64, 64, 4)
    assert picture[0, 0, 3] == 0
    assert picture[36, 32, 3] == 255


def test_another_avatar_is_another_result(folder: Path) -> None:
    other = folder / "other.json"
    save_params(AvatarVector(choices={"hair": "afro"}), other, head_digest="")
    for params in (folder / "me.json", other):
        done(folder, "edit", params, "--yaw", "10", "-o", params.with_suffix(".png"), "--overwrite")
    first, second = (np.asarray(Image.open(folder / f"{name}.png")).astype(int) for name in ("me", "other"))
    assert np.abs(first - second).mean() > 1


@pytest.mark.parametrize(
    ("arguments", "code", "wanted"),
    [
        (("--renderer", "compact"), 3, "is an avatar, which the renderer compact cannot animate"),
        (("--background", "source"), 2, "an avatar has no background of its own"),
        (("--background", "white", "--paste-back"), 2, "--paste-back"),
        (("--face", "left"), 2, "--face is given, but SOURCE is an avatar"),
        (("--source-frame", "3"), 2, "--source-frame is given, but SOURCE is an avatar"),
        (("--source-frames", "2"), 2, "--source-frames is given, but SOURCE is an avatar"),
        (("--compile",), 2, "--compile is given, but SOURCE is an avatar"),
        (("--landmarker", "embedded"), 2, "--landmarker is given, but no input of this job shows a face"),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else "",
)
def test_what_avatars_cannot_do_is_said(folder: Path, arguments: tuple[str, ...], code: int, wanted: str) -> None:
    out = folder / "refused.mp4"
    outcome = done(folder, "reenact", folder / "me.json", folder / "jaw.npz", "-o", out, *arguments, code=code)
    assert wanted in outcome.stderr
    assert not out.exists()


def test_a_picture_is_no_avatar(folder: Path) -> None:
    picture = folder / "grey.png"
    Image.new("RGB", (64, 64), "grey").save(picture)
    out = folder / "refused.mp4"
    outcome = done(folder, "reenact", picture, folder / "jaw.npz", "--renderer", "avatar", "-o", out, code=3)
    assert "is no avatar" in outcome.stderr


def test_a_damaged_avatar_is_refused(folder: Path) -> None:
    broken = folder / "broken.json"
    broken.write_text('{"format": "facepipe-avatar", "schema": 1, "engine": 1, "sliders": {"nose": 2}}')
    outcome = done(folder, "edit", broken, "--yaw", "5", "-o", folder / "x.png", code=3)
    assert "there is no slider 'nose'" in outcome.stderr


def test_a_batch_row_names_an_avatar(folder: Path) -> None:
    jobs = folder / "jobs.csv"
    row = ",".join(str(folder / name) for name in ("me.json", "jaw.npz", "row.mp4"))
    jobs.write_text(f"command,source,driver,out,size\nreenact,{row},64\n")
    outcome = run("batch", jobs, "--work", folder / "work")
    assert outcome.exit_code == 0, outcome.stderr
    assert (folder / "row.mp4").exists()


def test_a_row_with_an_option_of_portraits_is_refused(folder: Path) -> None:
    """Its motion file is not read, because a faulty row has no motion space."""
    jobs = folder / "portraits.csv"
    row = ",".join(str(folder / name) for name in ("me.json", "jaw.npz", "faced.mp4"))
    jobs.write_text(f"command,source,driver,out,size,face\nreenact,{row},64,largest\n")
    outcome = run("batch", jobs, "--work", folder / "work")
    assert outcome.exit_code != 0
    assert "--face is given, but SOURCE is an avatar" in outcome.stderr
    assert not (folder / "faced.mp4").exists()


def test_settings_for_portraits_are_no_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEPIPE_FACE_FACE", "left")
    monkeypatch.setenv("FACEPIPE_RENDER_COMPILE", "true")
    done(folder, "edit", folder / "me.json", "--yaw", "5", "--no-compile", "-o", folder / "settings.png")
