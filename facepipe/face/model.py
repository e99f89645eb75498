"""The linear face model of the space `linear478`: mean, identity and expression directions over the 478-point mesh."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

from facepipe.errors import WeightsError
from facepipe.models.rows import row_combination

SPACE_IN_FILE = "facepipe"
"""The name that files of a face model give the motion space linear478, from before it had this name."""
IDENTITY_COUNT, EXPRESSION_COUNT = 80, 64

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Control:
    """A named slider: `direction * value` is added to the expression coefficients."""

    name: str
    direction: Floats
    """(64,) expression coefficients for the value 1."""
    low: float
    high: float
    """Range of values of real faces; 1 % of frames of the training clips, or 10 % of portraits, exceed it."""


@dataclass(frozen=True)
class FaceModel:
    """Points with x to the subject's left, y down, z away from the camera; outer eye corners of the mean 1 apart."""

    mean: Floats
    """(478, 3)"""
    identity: Floats
    """(80, 478, 3), each scaled to one standard deviation among people."""
    expression: Floats
    """(64, 478, 3), each scaled to one standard deviation from the face at rest."""
    weights: Floats
    """(478,) weight of each point in a fit of expression and identity."""
    pose_weights: Floats
    """(478,) weight of each point in a fit of the pose."""
    triangles: NDArray[np.int32]
    """(M, 3) triangles of the skin."""
    mouth_triangles: NDArray[np.int32]
    """(K, 3) triangles of the opening between the lips."""
    eye_triangles: NDArray[np.int32]
    """(L, 3) triangles of the eyeballs between the lids: fans around the iris centres."""
    sixty_eight: NDArray[np.int32]
    """(68,) points that correspond to the 300-W convention."""
    mirror: NDArray[np.int32]
    """(478,) mirror partner of each point."""
    controls: dict[str, Control]
    units: Floats | None = None
    """(52, 478, 3), displacements by each face unit, in the order of `facepipe.avatar.units.UNITS`; None without the
    weight `face-units`, which only the motion space `arkit52` needs."""

    def restricted(self, points: NDArray[np.integer]) -> FaceModel:
        """Return the model restricted to `points`, in order, for fits to other landmark sets; without a surface."""
        nothing = np.zeros((0, 3), np.int32)
        return replace(
            self,
            mean=self.mean[points],
            identity=self.identity[:, points],
            expression=self.expression[:, points],
            weights=self.weights[points],
            pose_weights=self.pose_weights[points],
            triangles=nothing,
            mouth_triangles=nothing,
            eye_triangles=nothing,
            sixty_eight=np.zeros(0, np.int32),
            mirror=np.zeros(0, np.int32),
            units=None,
        )

    def shape(self, identity: NDArray[np.floating], expression: NDArray[np.floating]) -> Floats:
        """Return (T, 478, 3) canonical points of (80,) or (T, 80) identity and (T, 64) expression coefficients."""
        return self.neutral(identity) + self.expression_offsets(expression)

    def neutral(self, identity: NDArray[np.floating]) -> Floats:
        """Return (1 or T, 478, 3) canonical points of (80,) or (T, 80) identity coefficients, at rest."""
        return np.asarray(self.mean + row_combination(np.atleast_2d(identity), self.identity))

    def expression_offsets(self, expression: NDArray[np.floating]) -> Floats:
        """Return the (T, 478, 3) offsets of the canonical points by (T, 64) expression coefficients."""
        return np.asarray(row_combination(expression, self.expression), np.float64)


def load_face_model(path: Path) -> FaceModel:
    """Read a face model from its safetensors file. Raises WeightsError for a model of another space."""
    with safe_open(path, framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not iterable itself
        header = file.metadata() or {}
    if header.get("basis") != SPACE_IN_FILE:
        raise WeightsError(
            f"{path.name} holds a face model of the space {header.get('basis')!r}, expected {SPACE_IN_FILE!r}."
        )
    floats = {name: tensor.astype(np.float64) for name, tensor in tensors.items() if tensor.dtype.kind == "f"}
    controls = {
        name: Control(name, direction, low, high)
        for (name, (low, high)), direction in zip(
            json.loads(header["controls"]).items(), floats["controls"], strict=True
        )
    }
    return FaceModel(
        mean=floats["mean"],
        identity=floats["identity"],
        expression=floats["expression"],
        weights=floats["weights"],
        pose_weights=floats["pose_weights"],
        triangles=tensors["triangles"],
        mouth_triangles=tensors["mouth_triangles"],
        eye_triangles=tensors["eye_triangles"],
        sixty_eight=tensors["sixty_eight"],
        mirror=tensors["mirror"],
        controls=controls,
    )
