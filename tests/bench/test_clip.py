"""The generated clip."""

from __future__ import annotations

import numpy as np

from facepipe.bench.clip import FRAMES, synthetic_motion
from facepipe.face.model import Control
from tests.face.test_fitting import made_model


def test_the_motion_of_head_and_face_is_within_bounds() -> None:
    model = made_model(60, 80, 64)
    random = np.random.default_rng(0)
    for name in ("jaw_open", "smile", "brow_raise", "blink_left"):
        model.controls[name] = Control(name, random.normal(0, 1, 64), 0, 1)
    motion = synthetic_motion(model)
    assert len(motion) == FRAMES
    assert np.degrees(np.abs(motion.angles)).max() <= 15
    assert motion.angles.std(0).min() > 0.02
    assert motion.expression.std() > 0.1
    # It ends where it begins, so that the clip can be repeated.
    assert np.abs(motion.angles[0] - motion.angles[-1]).max() < 0.05
