"""The embedded face model: shape, surface and named controls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from facepipe import weights
from facepipe.errors import WeightsError
from facepipe.face import topology as at
from facepipe.face.measures import (
    LEFT_BROW_INNER,
    LEFT_BROW_OUTER,
    MEASURES,
    RIGHT_BROW_INNER,
    RIGHT_BROW_OUTER,
    measure_rows,
)
from facepipe.face.model import load_face_model
from tests.face.faces import face_model

Floats = NDArray[np.floating]
GAPS = {
    "left": (at.LEFT_LID_UPPER, at.LEFT_LID_LOWER),
    "right": (at.RIGHT_LID_UPPER, at.RIGHT_LID_LOWER),
    "lips": (at.LIP_INNER_UPPER, at.LIP_INNER_LOWER),
}


def edges(triangles: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return every directed edge of every triangle."""
    return np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])


def face_with(name: str, value: float = 1.0) -> Floats:
    """Return the mean face with one control set."""
    model = face_model()
    return np.asarray(model.shape(np.zeros(80), value * model.controls[name].direction[None])[0])


def gap(face: Floats, name: str) -> float:
    upper, lower = GAPS[name]
    return float((face[list(lower), 1] - face[list(upper), 1]).mean())


def test_the_embedded_model_has_the_documented_sizes() -> None:
    """478 points, 80 identity and 64 expression directions; the mean is upright, frontal and of unit size."""
    model = face_model()
    assert model.mean.shape == (478, 3)
    assert model.identity.shape == (80, 478, 3)
    assert model.expression.shape == (64, 478, 3)
    assert model.weights.shape == model.pose_weights.shape == (478,)
    eyes = model.mean[at.LEFT_EYE_OUTER] - model.mean[at.RIGHT_EYE_OUTER]
    np.testing.assert_allclose(eyes, [1, 0, 0], atol=0.01)
    assert model.mean[at.CHIN, 1] > model.mean[at.FOREHEAD, 1] + 1
    assert model.mean[at.NOSE_TIP, 2] < model.mean[[234, 454], 2].min()
    np.testing.assert_array_equal(model.sixty_eight, at.SIXTY_EIGHT)


def test_the_mirror_is_an_involution_that_leaves_the_mean_alone() -> None:
    """Mirroring twice is the identity, and the mean face equals its mirror image."""
    model = face_model()
    np.testing.assert_array_equal(model.mirror[model.mirror], np.arange(478))
    np.testing.assert_allclose(model.mean[model.mirror] * (-1, 1, 1), model.mean, atol=0.01)


def test_the_skin_is_one_sheet_with_a_mouth_and_two_eyes_cut_out() -> None:
    """Euler characteristic 1 - 3, no edge in three triangles, consistent orientation, all points used."""
    triangles = face_model().triangles
    undirected, uses = np.unique(np.sort(edges(triangles), axis=1), axis=0, return_counts=True)
    assert set(np.unique(triangles)) == set(range(at.SKIN_COUNT))
    assert at.SKIN_COUNT - len(undirected) + len(triangles) == -2
    assert uses.max() == 2
    assert len(np.unique(edges(triangles), axis=0)) == 3 * len(triangles)
    rim = {*at.FACE_OVAL, *at.LIP_INNER, *at.RIGHT_EYE, *at.LEFT_EYE}
    assert set(undirected[uses == 1].ravel()) == rim
    assert (uses == 1).sum() == len(rim)


def test_mouth_and_eyes_close_the_sheet_to_a_disk() -> None:
    """With mouth and eye triangles, the Euler characteristic is 1 and the boundary is the face oval, in order."""
    model = face_model()
    triangles = np.concatenate([model.triangles, model.mouth_triangles, model.eye_triangles])
    undirected, uses = np.unique(np.sort(edges(triangles), axis=1), axis=0, return_counts=True)
    assert len(np.unique(triangles)) - len(undirected) + len(triangles) == 1
    assert uses.max() == 2
    around = np.sort(np.stack([at.FACE_OVAL, np.roll(at.FACE_OVAL, -1)], axis=1), axis=1)
    assert {tuple(edge) for edge in undirected[uses == 1]} == {tuple(edge) for edge in around}


def test_there_are_twenty_controls_with_ranges() -> None:
    """There are at least 20, including the required ones, each with a range around zero."""
    controls = face_model().controls
    named = "jaw_open smile pucker mouth_left brow_raise brow_frown blink_left blink_right squint gaze_left"
    assert len(controls) >= 20
    assert set(named.split()) <= set(controls)
    for control in controls.values():
        assert control.direction.shape == (64,)
        assert control.low < 0 < control.high


@pytest.mark.parametrize("name", list(MEASURES))
def test_each_control_moves_its_own_measure(name: str) -> None:
    """The value 1 changes the measure of the same name, in the stated direction, by a visible amount."""
    effect = measure_rows() @ (face_with(name) - face_model().mean).ravel()
    assert effect[list(MEASURES).index(name)] > 0.01


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_blink_closes_one_eye(side: str) -> None:
    """The named eye (the subject's own) closes to less than half; the other stays open."""
    rest, blink = face_model().mean, face_with(f"blink_{side}")
    other = "right" if side == "left" else "left"
    assert gap(blink, side) < 0.5 * gap(rest, side)
    assert gap(blink, other) > 0.85 * gap(rest, other)


def test_controls_do_what_their_names_say() -> None:
    """Chin, lips, brows and irises move in the direction of the names; x is the subject's left."""
    rest = face_model().mean
    irises, brows = (
        [*at.LEFT_IRIS, *at.RIGHT_IRIS],
        [*LEFT_BROW_INNER, *LEFT_BROW_OUTER, *RIGHT_BROW_INNER, *RIGHT_BROW_OUTER],
    )
    assert face_with("jaw_open")[at.CHIN, 1] > rest[at.CHIN, 1] + 0.05
    assert gap(face_with("mouth_open"), "lips") > gap(rest, "lips") + 0.1
    assert face_with("gaze_left")[irises, 0].mean() > rest[irises, 0].mean() + 0.03
    assert face_with("gaze_up")[irises, 1].mean() < rest[irises, 1].mean() - 0.01
    assert face_with("brow_raise")[brows, 1].mean() < rest[brows, 1].mean() - 0.02
    assert face_with("mouth_left")[list(at.LIP_OUTER), 0].mean() > rest[list(at.LIP_OUTER), 0].mean() + 0.01
    wide, narrow = (np.ptp(face_with(name)[list(at.LIP_OUTER), 0]) for name in ("smile", "pucker"))
    assert wide > np.ptp(rest[list(at.LIP_OUTER), 0]) + 0.05 > narrow + 0.08
    corners = [at.MOUTH_LEFT, at.MOUTH_RIGHT]
    assert face_with("smile")[corners, 1].mean() < rest[corners, 1].mean()
    left, right = face_with("smile_left")[corners] - rest[corners]
    assert left[0] > abs(right[0])


def test_a_restricted_model_is_the_model_at_those_points() -> None:
    """Shapes of the 68-point model equal the 68 points of the full model's shapes."""
    model, random = face_model(), np.random.default_rng(0)
    identity, expression = random.normal(size=80), random.normal(size=(3, 64))
    part = model.restricted(model.sixty_eight)
    np.testing.assert_allclose(
        part.shape(identity, expression), model.shape(identity, expression)[:, model.sixty_eight]
    )
    assert len(part.triangles) == 0


def test_a_model_of_another_basis_is_rejected(tmp_path: Path) -> None:
    """The error names the basis of the file and the expected one."""
    save_file({"mean": np.zeros((478, 3), np.float32)}, tmp_path / "other.safetensors", {"basis": "flame"})
    with pytest.raises(WeightsError, match="'flame', expected 'facepipe'"):
        load_face_model(tmp_path / "other.safetensors")
    with pytest.raises(WeightsError):
        load_face_model(weights.find("detector").path)
