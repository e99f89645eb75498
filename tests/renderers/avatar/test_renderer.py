"""The renderer `avatar`: it follows motion, in the right direction, whatever the number of threads."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from facepipe import weights
from facepipe.avatar.avatar import Avatar, build
from facepipe.avatar.head import ENGINE_VERSION, Head
from facepipe.avatar.packing import packed, unpacked
from facepipe.avatar.portrait import Portraitist, portrait_camera
from facepipe.avatar.posing import PICTURE_AXES
from facepipe.avatar.units import UNITS
from facepipe.avatar.vector import AvatarVector
from facepipe.face.model import load_face_model
from facepipe.face.topology import NOSE_TIP
from facepipe.renderers.avatar import renderer
from facepipe.rendering.source import Source
from facepipe.spaces.arkit52.coefficients import UnitCoefficients, resting

SIDE = 96
VECTOR = AvatarVector({"head_width": 0.7}, {"hair": (0.2, 0.4)}, {"hair": "bob", "glasses": "round"})


@pytest.fixture(scope="module")
def avatar(head: Head) -> Avatar:
    return build(VECTOR, head)


def frames(motion: UnitCoefficients, head: Head, monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """Return the renderer's frames of all rows of motion."""
    monkeypatch.setattr(renderer, "open_head", lambda: head)
    still = resting(1, side_pixels=SIDE)
    source = Source(np.zeros((SIDE, SIDE, 3), np.uint8), np.zeros((478, 3)), still)
    prepared = packed(VECTOR, head.digest, ENGINE_VERSION)
    render = renderer.open_renderer({}, source, prior=None, prepared=prepared, compiled=False)
    return list(render(motion, 0, len(motion)))


def test_the_vector_is_packed_exactly(head: Head) -> None:
    assert unpacked(packed(VECTOR, head.digest, ENGINE_VERSION)) == VECTOR


def test_resting_motion_shows_the_portrait(head: Head, avatar: Avatar, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = Portraitist(avatar, portrait_camera(avatar), SIDE).draw(rotation=np.eye(3))
    for frame in frames(resting(3, side_pixels=SIDE), head, monkeypatch):
        assert np.array_equal(frame, wanted)


def test_an_open_jaw_changes_the_mouth_alone(head: Head, monkeypatch: pytest.MonkeyPatch) -> None:
    motion = resting(2, side_pixels=SIDE)
    motion.weights[1, UNITS.index("jawOpen")] = 0.8
    first, second = frames(motion, head, monkeypatch)
    rows, columns = np.nonzero(np.abs(first.astype(int) - second).max(axis=2) > 12)
    assert len(rows) > 20
    assert np.quantile(rows, 0.05) > 0.4 * SIDE
    assert abs(columns.mean() / SIDE - 0.5) < 0.1


@pytest.mark.parametrize(("axis", "change"), [(0, 0.3), (0, -0.3), (1, 0.3), (1, -0.3), (2, 0.3), (2, -0.3)])
def test_the_head_turns_as_the_face_model_does(axis: int, change: float, avatar: Avatar) -> None:
    angles = np.zeros((1, 3))
    angles[0, axis] = change
    motion = replace(resting(1, side_pixels=SIDE), angles=angles)
    model = load_face_model(weights.find("face-model").path)
    still = resting(1, side_pixels=SIDE)
    eye = 33  # The outer corner of the right eye, which a roll moves.
    point = eye if axis == 2 else NOSE_TIP
    shape = model.shape(still.identity, still.expression)
    wanted = (motion.pose(SIDE).apply(shape) - still.pose(SIDE).apply(shape))[0, point, :2]
    turned = PICTURE_AXES @ motion.rotation[0] @ PICTURE_AXES
    landmark = avatar.head.template.landmarks["eye-outer-right" if axis == 2 else "nose-tip"]
    moved = (avatar.pose(None, turned)[0] - avatar.pose()[0])[landmark]
    along = int(np.abs(wanted).argmax())
    assert np.sign(moved[along]) * (1, -1)[along] == np.sign(wanted[along])


def test_the_head_moves_with_the_driver(head: Head, monkeypatch: pytest.MonkeyPatch) -> None:
    motion = resting(4, side_pixels=SIDE)
    motion.translation[1, 0], motion.translation[2, 1], motion.translation[3, 2] = 0.3, 0.3, 0.3
    still, right, down, larger = (frame[..., 3] > 128 for frame in frames(motion, head, monkeypatch))
    rows, columns = np.indices((SIDE, SIDE))
    assert columns[right].mean() > columns[still].mean() + 2
    assert rows[down].min() > rows[still].min() + 2
    assert larger.sum() > 1.05 * still.sum()


@pytest.mark.parametrize("threads", [1, 3])
def test_frames_come_in_order(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renderer, "thread_count", lambda: threads)
    made = list(renderer.in_threads(partial(np.full, (2, 2)), 3, 20))
    assert [int(frame[0, 0]) for frame in made] == list(range(3, 20))


def test_threads_change_no_byte(head: Head, monkeypatch: pytest.MonkeyPatch) -> None:
    motion = resting(3, side_pixels=SIDE)
    motion.weights[:, UNITS.index("mouthSmileLeft")] = (0.0, 0.4, 0.8)
    found = []
    for threads in (1, 2):
        monkeypatch.setattr(renderer, "thread_count", lambda threads=threads: threads)
        found.append(np.stack(frames(motion, head, monkeypatch)))
    assert np.array_equal(found[0], found[1])
