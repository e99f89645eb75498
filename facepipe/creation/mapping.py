"""The mapper on an observation: a relaxed vector, and where the parts of the person are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from facepipe.avatar.layout import from_row
from facepipe.avatar.vector import RelaxedVector
from facepipe.checkpoint import load_network
from facepipe.creation.observation import SIDE_PIXELS, Observation
from facepipe.errors import InputError
from facepipe.models.avatar_mapper import WPLUS_CODES, WPLUS_WIDTH, AvatarMapper, MapperConfig

KIND = "avatar-mapper"
SEEN_PIXELS = 128
CLOSE_MIDDLE, CLOSE_SIDE = (0.5, 0.53), 0.52
"""Place and side of the close crop in the frame of the face, as fractions of its side."""
POINT_SCALE = 8.0
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Mapping:
    """What a mapper says of a portrait."""

    relaxed: RelaxedVector
    parts: Floats | None
    """(len(PARTS), 256, 256), probabilities in the frame of the face; None from codes."""
    drawn: float
    """Probability that the picture is a drawing by the engine; 0 from codes."""


def normalised_points(points: NDArray[np.floating]) -> Floats:
    """Return landmarks (..., 478, 3) in pixels of a frame as rows (..., 478 * 3): about 0, with a spread of about 1."""
    scaled = np.asarray(points, np.float64) / SIDE_PIXELS
    scaled[..., :2] -= CLOSE_MIDDLE
    scaled[..., 2] -= scaled[..., 2].mean(-1, keepdims=True)
    return (POINT_SCALE * scaled).reshape(*scaled.shape[:-2], -1).astype(np.float32)


def close_matrix(size: int) -> NDArray[np.float64]:
    """Return the (2, 3) map from pixels of the frame (256) to pixels of the close crop of a size."""
    scale = size / (CLOSE_SIDE * SIDE_PIXELS)
    left, top = ((middle - CLOSE_SIDE / 2) * SIDE_PIXELS - 0.5 for middle in CLOSE_MIDDLE)
    return np.array([[scale, 0, -0.5 - scale * left], [0, scale, -0.5 - scale * top]])


def inputs_of(observation: Observation) -> tuple[Floats, Floats, Floats]:
    """Return the mapper's inputs (5, 128, 128), (3, 128, 128) and (478 * 3,) of an observation."""
    size = (SEEN_PIXELS, SEEN_PIXELS)
    planes = np.dstack([observation.picture / np.float32(255), observation.matte, observation.inside])
    wide = cv2.resize(planes.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    close = cv2.warpAffine(
        observation.picture, close_matrix(SEEN_PIXELS), size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    pictures = (2 * wide - 1).transpose(2, 0, 1), (close / np.float32(127.5) - 1).transpose(2, 0, 1)
    return pictures[0].astype(np.float32), pictures[1].astype(np.float32), normalised_points(observation.points)


class Mapper:
    """A mapper from a weight file."""

    def __init__(self, weight: Path) -> None:
        # Probabilities near a half must not depend on the rounding of bfloat16, which processors differ in.
        self.net = load_network(weight, KIND, AvatarMapper, MapperConfig, precision="fp32")

    @torch.inference_mode()
    def map(self, observation: Observation) -> Mapping:
        """Return the vector and the parts of a portrait."""
        if self.net.encoder is None:
            raise InputError("this mapper takes W+ codes; give the code of the portrait, or use the embedded mapper")
        mapped = self.net(*(torch.from_numpy(one)[None] for one in inputs_of(observation)))
        assert mapped.parts is not None
        assert mapped.drawn is not None
        shares = mapped.parts.float().softmax(1)[0].numpy().transpose(1, 2, 0)
        large = cv2.resize(shares, (SIDE_PIXELS, SIDE_PIXELS), interpolation=cv2.INTER_LINEAR).transpose(2, 0, 1)
        return Mapping(self._vector(mapped.continuous, mapped.logits), large, float(torch.sigmoid(mapped.drawn)[0]))

    @torch.inference_mode()
    def map_code(self, code: NDArray[np.floating]) -> Mapping:
        """Return the vector of a W+ code (18, 512). Raises InputError for another shape or mapper."""
        if self.net.encoder is not None:
            raise InputError("the embedded mapper takes portraits; a W+ code needs a mapper that was trained for codes")
        if code.shape != (WPLUS_CODES, WPLUS_WIDTH) or not np.isfinite(code).all():
            raise InputError(f"a W+ code must be {WPLUS_CODES} x {WPLUS_WIDTH} finite numbers, not {code.shape}")
        mapped = self.net.of_codes(torch.from_numpy(code.astype(np.float32))[None])
        return Mapping(self._vector(mapped.continuous, mapped.logits), None, 0.0)

    def _vector(self, continuous: torch.Tensor, logits: torch.Tensor) -> RelaxedVector:
        row = torch.cat([continuous, self.net.probabilities(logits)], 1)[0]
        return from_row(row.numpy())
