"""The stage `avatar`: an avatar takes the place of a portrait."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.torch import load_file

from facepipe.avatar.compiling import open_head
from facepipe.avatar.head import ENGINE_VERSION
from facepipe.avatar.packing import unpacked
from facepipe.avatar.params import save_params
from facepipe.avatar.vector import AvatarVector
from facepipe.face.track import load_track
from facepipe.media.image import read_image
from facepipe.spaces.arkit52 import SPACE
from facepipe.spaces.files import load_coefficients
from facepipe.stages import avatar
from tests.export.avatar_head import needs_head
from tests.stages.test_stages import make


@needs_head
def test_an_avatar_becomes_a_source(tmp_path: Path) -> None:
    vector = AvatarVector({"jaw_width": 0.2}, choices={"hair": "bob", "glasses": "square"})
    params = tmp_path / "me.json"
    save_params(vector, params, head_digest=open_head().digest)
    params_of = avatar.Params(open_head().digest, ENGINE_VERSION, 96)
    made = make(tmp_path / "work", avatar.STAGE, {"avatar": params}, params_of)
    assert not made.facts["remarks"]
    picture, track = read_image(made.path("crop.png")), load_track(made.path("track.npz"))
    assert picture.shape == (96, 96, 3)
    assert np.abs(picture[48, 48].astype(int) - picture[0, 0]).max() > 40
    assert track.picture_size == (96, 96)
    assert 0 < track.track.points[0, :, :2].min() < track.track.points[0, :, :2].max() < 96
    still = load_coefficients(made.path("coefficients.npz"), space=SPACE)
    assert len(still) == 1
    assert not still.angles.any()
    assert unpacked(load_file(made.path("prepared.safetensors"))) == vector


@needs_head
def test_another_head_is_said(tmp_path: Path) -> None:
    params = tmp_path / "me.json"
    save_params(AvatarVector(), params, head_digest="0" * 64)
    params_of = avatar.Params(open_head().digest, ENGINE_VERSION, 64)
    made = make(tmp_path / "work", avatar.STAGE, {"avatar": params}, params_of)
    assert [remark["code"] for remark in made.facts["remarks"]] == ["other-head"]
