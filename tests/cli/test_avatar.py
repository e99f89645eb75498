"""`facepipe avatar export` from the command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pygltflib", reason="needs the packages of facepipe[avatar]")

from facepipe.avatar.compiling import open_head
from facepipe.avatar.params import save_params
from facepipe.avatar.units import UNITS
from facepipe.avatar.vector import AvatarVector
from facepipe.errors import ToolError
from facepipe.export.avatar_file import read_take
from facepipe.spaces.arkit52.coefficients import resting
from facepipe.spaces.files import save_coefficients
from tests.export.avatar_head import needs_head
from tests.export.glb_reading import Glb
from tests.pipeline.scene import Outcome, Scene, run

pytestmark = needs_head


def export(*arguments: str | Path, code: int = 0) -> Outcome:
    """Run the command, which ends with a code."""
    done = run("avatar", "export", *arguments)
    assert done.exit_code == code, done.stderr
    return done


@pytest.fixture(scope="module")
def params(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("avatar") / "me.json"
    save_params(AvatarVector(), path, head_digest=open_head().digest)
    return path


@pytest.fixture
def take(tmp_path: Path) -> Path:
    """A motion file: the mouth opens, the eyes look to the avatar's left, the head turns."""
    motion = resting(5)
    motion.weights[:, UNITS.index("jawOpen")] = np.linspace(0, 1, 5)
    motion.weights[:, UNITS.index("mouthClose")] = 0.4
    gaze = np.zeros((5, 2, 2))
    gaze[:, :, 0] = -0.25
    angles = np.tile((0.1, -0.3, 0.05), (5, 1))
    path = tmp_path / "take.npz"
    save_coefficients(replace(motion, angles=angles, gaze=gaze), path)
    return path


def test_a_file_with_motion(params: Path, take: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "me.glb"
    done = export(params, "-o", out, "--motion", take, "--copyright", "nobody")
    assert done.stdout.strip() == str(out)
    glb = Glb(out.read_bytes())
    names = glb.mesh("skin")["extras"]["targetNames"]
    assert names == list(UNITS)
    times, weights = glb.channel("skin", "weights")
    assert np.allclose(times, np.arange(5) / 25)
    rows = weights.reshape(5, 52)
    assert np.allclose(rows[:, UNITS.index("jawOpen")], np.linspace(0, 1, 5))
    assert np.allclose(rows[:, UNITS.index("mouthClose")], [0, 0.25, 0.4, 0.4, 0.4])
    assert np.allclose(rows[:, [UNITS.index(name) for name in ("eyeLookOutLeft", "eyeLookInRight")]], 0.5)
    asset = glb.json["asset"]
    assert asset["copyright"] == "nobody"
    assert asset["extras"]["avatar"]["sliders"] == dict(AvatarVector().sliders)
    assert "CC0" in asset["extras"]["rights"]


def test_the_head_turns_as_in_the_picture(take: Path) -> None:
    # In pictures, yaw of -0.3 turns the nose to the right, pitch of 0.1 down, roll of 0.05 clockwise.
    rotation = read_take(take).rotations[0]
    nose, crown = rotation @ (0, 0, 1), rotation @ (0, 1, 0)
    assert nose[0] == pytest.approx(np.sin(0.3) * np.cos(0.1), abs=0.02)
    assert nose[1] == pytest.approx(-np.sin(0.1), abs=0.02)
    assert crown[0] > 0


def test_other_forms(params: Path, tmp_path: Path) -> None:
    done = export(params, "-o", tmp_path / "me.obj")
    assert done.stdout.split() == [str(tmp_path / "me.obj"), str(tmp_path / "me.mtl")]
    pytest.importorskip("pxr", reason="needs the packages of facepipe[usd]")
    export(params, "-o", tmp_path / "me.usdz")
    assert (tmp_path / "me.usdz").read_bytes()[:2] == b"PK"


def test_a_texture_from_a_portrait(params: Path, scene: Scene, tmp_path: Path) -> None:
    out = tmp_path / "me.glb"
    export(params, "-o", out, "--texture", scene.portrait, "--work", tmp_path / "work")
    glb = Glb(out.read_bytes())
    (image,) = glb.json["images"]
    assert image["mimeType"] == "image/png"
    assert "COLOR_0" not in glb.mesh("skin")["primitives"][0]["attributes"]
    assert "COLOR_0" in glb.mesh("eye-left")["primitives"][0]["attributes"]
    assert "picture of a person" in glb.json["asset"]["extras"]["rights"]
    done = export(params, "-o", tmp_path / "no.glb", "--texture", scene.driver, "--work", tmp_path / "work", code=3)
    assert "expected a picture for --texture" in done.stderr.replace("\n", " ")
    assert not (tmp_path / "no.glb").exists()


def test_refusals(params: Path, take: Path, tmp_path: Path) -> None:
    out = tmp_path / "me.glb"
    for words, code, message in (
        ((params, "-o", tmp_path / "me.fbx"), 2, "ends in .glb, .obj, .usdz"),
        ((params, "-o", tmp_path / "me.obj", "--motion", take), 2, "OBJ holds no motion"),
        ((tmp_path / "none.json", "-o", out), 3, "no such file"),
        ((take, "-o", out), 3, "no file of an avatar"),
        ((params, "-o", out, "--motion", params), 3, "not a motion file"),
        ((params, "-o", params / "me.glb"), 4, "is a file, not a folder"),
    ):
        done = export(*words, code=code)
        assert message in done.stderr.replace("\n", " ")
    assert list(tmp_path.glob("me*")) == []
    out.write_bytes(b"mine")
    done = export(params, "-o", out, code=3)
    assert "--overwrite" in done.stderr
    assert out.read_bytes() == b"mine"
    export(params, "-o", out, "--overwrite")
    assert out.read_bytes()[:4] == b"glTF"


def test_a_missing_package_is_named(params: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from facepipe.export import avatar_file

    monkeypatch.setattr(avatar_file, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match=r"facepipe\[usd\]"):
        avatar_file.export_avatar(avatar_file.ExportOptions(params, tmp_path / "me.usdz"))
