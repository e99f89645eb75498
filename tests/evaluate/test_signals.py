"""What a face does, and how far another follows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facepipe.errors import InputError, ToolError
from facepipe.evaluate.signals import SIGNALS, correlation, correlations, follow, signals
from facepipe.evaluate.teacher import check_teacher, teachers_view
from tests.evaluate.motions import FRAMES, moving_points
from tests.face.faces import face_model

EVERY = np.ones(FRAMES, bool)


def test_signals_are_what_the_head_does() -> None:
    """Angles in degrees of the made head, and gaps that follow its speech and its blinks."""
    t = np.linspace(0, 2 * np.pi, FRAMES)
    found = signals(moving_points(), EVERY, face_model())
    assert set(found) == set(SIGNALS)
    for name, phase, times in (("pitch", 0, 1), ("yaw", 1, 2), ("roll", 2, 3)):
        np.testing.assert_allclose(found[name], np.degrees(0.2 * np.sin(times * t + phase)), atol=1.0)
    assert np.corrcoef(found["mouth opening"], np.sin(5 * t))[0, 1] > 0.9
    assert np.corrcoef(found["eye opening"], -np.maximum(0, np.sin(4 * t)))[0, 1] > 0.9


@pytest.mark.parametrize(("noise", "good"), [(0.0, True), (12.0, False)])
def test_a_faithful_repetition_correlates_and_noise_does_not(noise: float, good: bool, tmp_path: Path) -> None:
    """The same motion elsewhere gives 1 in every signal; trembling points pull the lids' correlation down."""
    valid = EVERY.copy()
    valid[5] = False
    for role, points, there in (
        ("driver", moving_points(), EVERY),
        ("result", moving_points(noise=noise) + np.float32(7), valid),
    ):
        (tmp_path / "labels" / role / "clips").mkdir(parents=True)
        np.savez(tmp_path / "labels" / role / "clips" / "a.npz", points=points, valid=there)
    followed, seen = teachers_view(["a"], tmp_path, face_model())
    assert seen == pytest.approx(1 - 1 / FRAMES)
    assert len(followed["a"]) == FRAMES - 1
    found = correlations(followed.values())
    assert all(pooled > 0.999 for pooled, _ in found.values()) == good


def test_clips_are_pooled_without_their_means() -> None:
    """Two clips whose heads are held differently correlate as well as either of them."""
    one = follow(moving_points(), EVERY, moving_points(), EVERY, face_model())
    assert one is not None
    inverted = {name: -rows + 50 for name, rows in one.got.items()}
    other = type(one)(one.wanted, inverted, 1.0)
    assert correlations([one, one])["yaw"] == pytest.approx((1, 1))
    assert correlations([one, other])["yaw"] == pytest.approx((0, 0), abs=1e-6)
    assert all(np.isnan(pair).all() for pair in correlations([]).values())


def test_too_few_frames_or_no_motion_tell_nothing() -> None:
    few = EVERY & (np.arange(FRAMES) < 9)
    assert follow(moving_points(), EVERY, moving_points(), few, face_model()) is None
    assert np.isnan(correlation(np.ones(5), np.arange(5.0)))


def test_a_teacher_that_cannot_judge_is_told_of_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected the Python"):
        check_teacher(tmp_path / "python")
    program = tmp_path / "teacher"
    program.write_text("#!/bin/sh\necho no such module >&2\nexit 1\n", encoding="utf-8")
    program.chmod(0o755)
    with pytest.raises(ToolError, match="has no MediaPipe"):
        check_teacher(program)
