"""Exported models in ONNX Runtime: the difference from torch, and the speed, on the CPU."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from facepipe.errors import ToolError
from facepipe.export.head import Head, as_numpy
from facepipe.export.models import Precision
from facepipe.renderers.bilayer.merging import Maps

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

ROUNDS, FRAMES = 7, 8
EXACT_DIFFERENCE = 1e-3
"""Greatest difference of a float32 map from torch, by rounding."""
WRONG_LEVELS = 2.0
"""Mean difference of pictures from which a precision is called wrong, in grey levels of 255."""
SLOWER = 0.95
"""Speed, as a multiple of float32's, below which a precision is called slower."""
NAMES = ("warp", "low", "mask")


@dataclass(frozen=True)
class Check:
    """What a model computes and how fast, against torch and against float32 in the same process."""

    precision: Precision
    largest_difference: float
    """Of warp, low frequencies and mask, which are in [-1, 1] and [0, 1]."""
    mean_levels: float
    """Mean difference of composed pictures on black, in grey levels of 255."""
    frames_per_second: float
    """On one thread; the median of the rounds."""
    over_fp32: float
    """Speed as a multiple of that of fp32; 1 for fp32 itself."""
    over_torch: float
    """Speed as a multiple of that of torch on one thread."""
    megabytes: float

    @property
    def wrong(self) -> bool:
        """Whether the pictures differ visibly."""
        return self.mean_levels > WRONG_LEVELS

    @property
    def slower(self) -> bool:
        """Whether it is slower than fp32 on this CPU."""
        return self.over_fp32 < SLOWER

    def as_json(self) -> dict[str, object]:
        """Return the object that `--json` prints."""
        values = {name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(self).items()}
        return {**values, "wrong": self.wrong, "slower": self.slower}

    @property
    def text(self) -> str:
        """The line that is printed."""
        faults = [
            *(["WRONG, the pictures differ visibly"] if self.wrong else []),
            *(["SLOWER than fp32 on this CPU"] if self.slower else []),
        ]
        return (
            f"{self.precision}: {self.megabytes:.1f} MB, {self.mean_levels:.2f} of 255 from torch on average, "
            f"{self.largest_difference:.1e} at most in a map; {self.frames_per_second:.1f} frames/s on one thread, "
            f"{self.over_fp32:.2f} times fp32, {self.over_torch:.2f} times torch"
            + (f" - {'; '.join(faults)}" if faults else "")
        )


def checked(head: Head, models: Mapping[Precision, bytes]) -> list[Check]:
    """Run every model on motion of the head, in turns with the others and with torch.

    Raises ToolError if float32 differs by more than rounding.
    """
    sessions = {name: _session(model) for name, model in models.items()}
    step = max(1, len(head.motion) // FRAMES)
    rows = as_numpy(head.inputs(head.motion[::step]))[:, None, :, None, None]
    expected = [_maps(head, one) for one in torch.split(head.motion[::step], 1)]
    checks = []
    seconds = _seconds(head, sessions, rows)
    base = median(seconds["fp32"]) if "fp32" in seconds else None
    for name, session in sessions.items():
        made = [_run(session, row) for row in rows]
        pairs = list(zip(made, expected, strict=True))
        largest = max(float(np.abs(a - b).max()) for one, two in pairs for a, b in zip(one, two, strict=True))
        levels = float(np.mean([np.abs(_composed(head, a) - _composed(head, b)).mean() for a, b in pairs]))
        own, size = median(seconds[name]), len(models[name]) / 1e6
        check = Check(name, largest, levels, 1 / own, (base or own) / own, median(seconds["torch"]) / own, size)
        if name == "fp32" and not largest <= EXACT_DIFFERENCE:
            raise ToolError(
                f"ONNX Runtime computes other pictures than torch (difference {largest:.2g}, expected at most "
                f"{EXACT_DIFFERENCE:g}), so nothing was written; install another version of onnxruntime"
            )
        checks.append(check)
    return checks


def _session(model: bytes) -> InferenceSession:
    import onnxruntime  # noqa: PLC0415 - a package of the extra

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _run(session: InferenceSession, row: np.ndarray) -> list[np.ndarray]:
    kind = np.float16 if "float16" in session.get_inputs()[0].type else np.float32
    made = session.run(list(NAMES), {session.get_inputs()[0].name: row.astype(kind)})
    return [np.asarray(one, np.float32) for one in made]


def _maps(head: Head, keypoints: torch.Tensor) -> list[np.ndarray]:
    return [as_numpy(one) for one in head.frames.maps(keypoints)]


def _composed(head: Head, maps: list[np.ndarray]) -> np.ndarray:
    """Return the (1, 3, S, S) picture on black, in grey levels."""
    delta, low, mask = (torch.from_numpy(one) for one in maps)
    picture = Maps(delta, low, mask).compose(head.texture).clamp(-1, 1)
    return as_numpy((picture + 1) * mask * 127.5)


def _seconds(head: Head, sessions: Mapping[Precision, InferenceSession], rows: np.ndarray) -> dict[str, list[float]]:
    """Return the seconds per frame of each model, and of torch, in each round."""
    calls: dict[str, Any] = {name: lambda one=session: _run(one, rows[0]) for name, session in sessions.items()}
    calls["torch"] = lambda: head.frames.maps(head.motion[:1])
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(ROUNDS + 1):
        for name, call in calls.items():
            begin = time.perf_counter()
            call()
            if number:  # The first round is a warm-up.
                seconds[name].append(time.perf_counter() - begin)
    return seconds
