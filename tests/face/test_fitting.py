"""The fit of a clip against a slow reference: frame by frame, and one least-squares problem."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from facepipe.face import fitting
from facepipe.face.fitting import NOISE, OUTLIER_RATIO, ROUNDS, Fit, fit
from facepipe.face.model import FaceModel
from facepipe.face.pose import Similarity, rotation_of

Floats = NDArray[np.float64]
POINTS, PEOPLE, FACES = 60, 7, 5


def made_model(points: int = POINTS, people: int = PEOPLE, faces: int = FACES) -> FaceModel:
    """Return a model of random directions; a third of its points determine the pose."""
    random = np.random.default_rng(3)
    nothing = np.zeros((0, 3), np.int32)
    return FaceModel(
        mean=random.normal(0, 0.7, (points, 3)),
        identity=random.normal(0, 0.03, (people, points, 3)),
        expression=random.normal(0, 0.03, (faces, points, 3)),
        weights=random.uniform(0.5, 2, points),
        pose_weights=(np.arange(points) % 3 == 0).astype(float),
        triangles=nothing,
        mouth_triangles=nothing,
        eye_triangles=nothing,
        sixty_eight=np.arange(points, dtype=np.int32),
        mirror=np.arange(points, dtype=np.int32),
        controls={},
    )


def made_clip(model: FaceModel, frames: int, *, noise: float = 0.4) -> tuple[Floats, Floats, Floats, Similarity]:
    """Return points of one moving person, with the coefficients that generate them."""
    random = np.random.default_rng(5)
    identity = random.normal(0, 1, len(model.identity))
    expression = random.normal(0, 1, (frames, len(model.expression)))
    pose = Similarity(
        scale=random.uniform(80, 120, frames),
        rotation=rotation_of(random.normal(0, 0.3, (frames, 3))),
        translation=random.normal((300, 200, 0), 50, (frames, 3)),
    )
    points = pose.apply(model.shape(identity, expression))
    return points + random.normal(0, noise, points.shape), identity, expression, pose


def slow_similarity(canonical: Floats, points: Floats, weights: Floats) -> tuple[float, Floats, Floats]:
    """Umeyama's closed form for one frame."""
    share = weights / weights.sum()
    middle, target = share @ canonical, share @ points
    left, strengths, right = np.linalg.svd((points - target).T @ np.diag(share) @ (canonical - middle))
    handed = np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation = left @ handed @ right
    scale = np.trace(np.diag(strengths) @ handed) / (share @ ((canonical - middle) ** 2).sum(1))
    return float(scale), rotation, target - scale * rotation @ middle


def slow_fit(model: FaceModel, points: Floats, identity: Floats | None = None) -> Fit:
    """Pose by pose, then all coefficients of all frames that are trusted as unknowns of one least-squares problem."""
    people, faces = len(model.identity), len(model.expression)
    root = np.sqrt(np.repeat(model.weights, 3)) / NOISE
    own = np.zeros(people) if identity is None else identity
    expression, trusted = np.zeros((len(points), faces)), np.ones(len(points), bool)
    for _ in range(ROUNDS):
        poses, offsets = [], []
        for row, face in zip(points, expression, strict=True):
            shape = model.mean + np.tensordot(own, model.identity, 1) + np.tensordot(face, model.expression, 1)
            scale, rotation, translation = slow_similarity(shape, row, model.pose_weights)
            poses.append((scale, rotation, translation))
            canonical = np.stack([rotation.T @ (point - translation) / scale for point in row])
            offsets.append((canonical - model.mean).ravel() * root)
        if identity is None:
            own = _joint_identity(model, [offset for offset, good in zip(offsets, trusted, strict=True) if good], root)
        residuals = []
        for index, (offset, (scale, rotation, translation)) in enumerate(zip(offsets, poses, strict=True)):
            rows = (model.expression.reshape(faces, -1) * root).T
            wanted = offset - own @ (model.identity.reshape(people, -1) * root)
            system, right = np.concatenate([rows, np.eye(faces)]), np.concatenate([wanted, np.zeros(faces)])
            expression[index] = np.linalg.lstsq(system, right, rcond=None)[0]
            shape = model.shape(own, expression[index : index + 1])[0]
            rendered = np.stack([scale * rotation @ point + translation for point in shape])
            residuals.append(np.linalg.norm((rendered - points[index])[:, :2], axis=1).mean() / scale)
        residual = np.array(residuals)
        trusted = residual <= OUTLIER_RATIO * np.median(residual)
    scales, rotations, translations = (np.array(part) for part in zip(*poses, strict=True))
    return Fit(own, expression, Similarity(scales, rotations, translations), residual, trusted)


def _joint_identity(model: FaceModel, offsets: list[Floats], root: Floats) -> Floats:
    people, faces, size = len(model.identity), len(model.expression), model.mean.size
    unknowns = people + faces * len(offsets)
    system, right = np.zeros((size * len(offsets) + unknowns, unknowns)), np.zeros(size * len(offsets) + unknowns)
    for index, offset in enumerate(offsets):
        rows = slice(size * index, size * (index + 1))
        system[rows, :people] = (model.identity.reshape(people, -1) * root).T
        columns = slice(people + faces * index, people + faces * (index + 1))
        system[rows, columns] = (model.expression.reshape(faces, -1) * root).T
        right[rows] = offset
    system[size * len(offsets) :] = np.eye(unknowns)
    return np.asarray(np.linalg.lstsq(system, right, rcond=None)[0][:people])


def check_equal(found: Fit, slow: Fit) -> None:
    np.testing.assert_allclose(found.identity, slow.identity, rtol=0, atol=1e-6)
    np.testing.assert_allclose(found.expression, slow.expression, rtol=0, atol=1e-6)
    np.testing.assert_allclose(found.residual, slow.residual, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(found.trusted, slow.trusted)
    for part, expected in zip(found.pose, slow.pose, strict=True):
        np.testing.assert_allclose(part, expected, rtol=1e-8, atol=1e-6)


@pytest.mark.parametrize("block", [1, 4, 32])
def test_the_fit_is_the_slow_one(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(fitting, "BLOCK_FRAMES", block)
    model = made_model()
    points, *_ = made_clip(model, 9)
    points[4] += np.random.default_rng(1).normal(0, 60, points[4].shape)  # one bad frame
    found = fit(model, points, np.ones(9, bool))
    assert not found.trusted[4]
    assert found.trusted.sum() == 8
    check_equal(found, slow_fit(model, points))


def test_with_a_given_identity_too() -> None:
    model = made_model()
    points, identity, *_ = made_clip(model, 5)
    found = fit(model, points, np.ones(5, bool), identity=identity)
    np.testing.assert_array_equal(found.identity, identity)
    check_equal(found, slow_fit(model, points, identity))


def test_known_coefficients_are_recovered() -> None:
    model = made_model(points=200)
    points, identity, expression, pose = made_clip(model, 40, noise=0.05)
    found = fit(model, points, np.ones(40, bool))
    # The priors pull a little towards the mean.
    assert np.abs(found.identity - identity).max() < 0.25
    assert np.abs(found.expression - expression).max() < 0.25
    assert np.abs(found.pose.rotation - pose.rotation).max() < 0.02
    assert found.residual.max() < 0.01


def test_frames_without_a_face_repeat_the_nearest() -> None:
    model = made_model()
    points, *_ = made_clip(model, 7)
    valid = np.array([False, True, True, False, False, True, False])
    points[~valid] = np.nan
    found, alone = fit(model, points, valid), fit(model, points[valid], np.ones(3, bool))
    np.testing.assert_array_equal(found.expression, alone.expression[[0, 0, 1, 1, 2, 2, 2]])
    np.testing.assert_array_equal(found.trusted, valid & found.trusted)


def test_a_clip_without_a_face_is_rejected() -> None:
    with pytest.raises(ValueError, match="no valid frame"):
        fit(made_model(), np.zeros((3, POINTS, 3)), np.zeros(3, bool))
