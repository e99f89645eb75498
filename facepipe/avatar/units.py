"""The 52 face units: their names, in the order of ARKit's blend shapes, and a rule for their weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

UNITS = (
    "eyeBlinkLeft",
    "eyeLookDownLeft",
    "eyeLookInLeft",
    "eyeLookOutLeft",
    "eyeLookUpLeft",
    "eyeSquintLeft",
    "eyeWideLeft",
    "eyeBlinkRight",
    "eyeLookDownRight",
    "eyeLookInRight",
    "eyeLookOutRight",
    "eyeLookUpRight",
    "eyeSquintRight",
    "eyeWideRight",
    "jawForward",
    "jawLeft",
    "jawRight",
    "jawOpen",
    "mouthClose",
    "mouthFunnel",
    "mouthPucker",
    "mouthLeft",
    "mouthRight",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "noseSneerLeft",
    "noseSneerRight",
    "tongueOut",
)
JAW_OPEN, MOUTH_CLOSE = UNITS.index("jawOpen"), UNITS.index("mouthClose")


def with_lips_apart(weights: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Return weights (..., 52) in which `mouthClose` is at most `jawOpen`.

    ARKit defines `mouthClose` as the lips that meet while the jaw is open. Beyond it, the lips pass through each other.
    """
    bounded = np.array(weights)
    bounded[..., MOUTH_CLOSE] = np.minimum(bounded[..., MOUTH_CLOSE], np.maximum(bounded[..., JAW_OPEN], 0))
    return bounded
