"""A moving head, and cases with known scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from facepipe.evaluate.judging import Judged
from facepipe.evaluate.manifest import Case, Task
from facepipe.evaluate.signals import follow
from facepipe.face.pose import Similarity, rotation_of
from tests.face.faces import face_model

FRAMES = 40


def moving_points(frames: int = FRAMES, *, noise: float = 0.0) -> np.ndarray:
    """Return a head that turns, nods, tilts, speaks and blinks: (T, 478, 3) float32 in a picture of 256 pixels."""
    model, random = face_model(), np.random.default_rng(0)
    t = np.linspace(0, 2 * np.pi, frames)
    wave = np.stack([np.sin(t), np.sin(2 * t + 1), np.sin(3 * t + 2)], axis=1)
    speech = np.outer(0.5 + 0.5 * np.sin(5 * t), model.controls["mouth_open"].direction)
    blink = model.controls["blink_left"].direction + model.controls["blink_right"].direction
    lids = np.outer(np.maximum(0, np.sin(4 * t)), blink) * 0.8
    pose = Similarity(np.full(frames, 60.0), rotation_of(0.2 * wave), np.tile([128.0, 120, 0], (frames, 1)))
    points = pose.apply(model.shape(np.zeros(80), speech + lids))
    return np.asarray(points + random.normal(0, noise, points.shape), np.float32)


def judged(name: str, task: Task, **scores: dict[str, float]) -> Judged:
    """Return a judged case with these scores, in which the result follows its driver exactly."""
    points, valid = moving_points(), np.ones(FRAMES, bool)
    followed = follow(points, valid, points, valid, face_model())
    assert followed is not None
    return Judged(Case(name, Path(f"{name}.mp4")), task, FRAMES, scores, {"result": followed}, {}, {})
