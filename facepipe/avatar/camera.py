"""Perspective cameras that frame a head.

Camera coordinates, in decimetres: x to the right of the picture, y up, z towards the viewer; the camera is at 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import atan, cos, degrees, hypot, isfinite, radians, sin, tan

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.mesh import Floats, Part

NOT_FRAMED = ("clothes",)
"""Parts that may extend beyond the picture."""


@dataclass(frozen=True)
class Camera:
    """A camera that looks at `target` from a distance."""

    target: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """The point at the centre of the picture, in decimetres."""
    head_height: float = 2.4
    """The unit of `distance_heads`, in decimetres."""
    distance_heads: float = 4.2
    """Distance from the camera to the target. Below 2, faces are visibly distorted, as in close photographs."""
    field_of_view_degrees: float = 20.0
    """Angle between opposite edges of the picture, along its shorter side; in (0, 170]."""
    yaw_degrees: float = 0.0
    """Positive turns the nose to the right of the picture. The avatar turns about the target, by Rz(roll) Ry(yaw)
    Rx(pitch)."""
    pitch_degrees: float = 0.0
    """Positive turns the nose down."""
    roll_degrees: float = 0.0
    """Positive turns the head counter-clockwise."""
    shift: tuple[float, float] = (0.0, 0.0)
    """Place of the picture's middle in the picture that it is cut from, right of and above the middle of that one, in
    sides of the cut."""

    def __post_init__(self) -> None:
        """Raise ValueError for a camera that can see nothing."""
        placed = (*self.target, self.yaw_degrees, self.pitch_degrees, self.roll_degrees, *self.shift)
        if not all(map(isfinite, placed)):
            raise ValueError("got a camera whose target, angles or shift are not finite, expected finite numbers")
        if not 0 < self.field_of_view_degrees <= 170:
            raise ValueError(f"got a field of view of {self.field_of_view_degrees} degrees, expected it in (0, 170]")
        if not (0 < self.distance < float("inf")):
            raise ValueError(
                f"got a distance of {self.distance_heads} heads of {self.head_height} dm, expected positive numbers"
            )

    @property
    def distance(self) -> float:
        """Distance from the camera to the target, in decimetres."""
        return self.distance_heads * self.head_height

    def rotation(self) -> NDArray[np.float64]:
        """Return the (3, 3) rotation from mesh axes to camera axes."""
        (cp, sp), (cy, sy), (cr, sr) = (
            (cos(radians(angle)), sin(radians(angle)))
            for angle in (self.pitch_degrees, self.yaw_degrees, self.roll_degrees)
        )
        about_x = np.array(((1, 0, 0), (0, cp, -sp), (0, sp, cp)))
        about_y = np.array(((cy, 0, sy), (0, 1, 0), (-sy, 0, cy)))
        about_z = np.array(((cr, -sr, 0), (sr, cr, 0), (0, 0, 1)))
        # einsum instead of a product by BLAS, which rounds by processor.
        rotation: NDArray[np.float64] = np.einsum("ij,jk,kl->il", about_z, about_y, about_x, optimize=False)
        return rotation

    def view(self, vertices: Floats) -> NDArray[np.float64]:
        """Return (N, 3) vertices in camera coordinates; those in front of the camera have a negative z."""
        moved = np.asarray(vertices, np.float64) - self.target
        rows = self.rotation()
        out = np.stack([moved[:, 0] * row[0] + moved[:, 1] * row[1] + moved[:, 2] * row[2] for row in rows], 1)
        out[:, 2] -= self.distance
        return out

    def focal_pixels(self, height: int, width: int) -> float:
        """Return the focal length in pixels of a picture of this size."""
        return min(height, width) / 2 / tan(radians(self.field_of_view_degrees) / 2)

    def middle_pixels(self, height: int, width: int) -> tuple[float, float]:
        """Return where the line of sight meets a picture of this size, from its left and upper edges."""
        side = min(height, width)
        return width / 2 - side * self.shift[0], height / 2 + side * self.shift[1]


def framed(parts: Iterable[Part], camera: Camera | None = None, *, margin: float = 0.06) -> Camera:
    """Return a camera whose picture is filled by the parts, except those of NOT_FRAMED.

    Call it once per avatar with its neutral shape, so that the head does not seem to change its size when it moves.

    Args:
        parts: Parts of an avatar.
        camera: Distance and angles to keep. The target, the unit and the field of view are replaced.
        margin: Free border on the narrower sides, as a fraction of the picture, in [0, 0.5).

    Raises ValueError if no part can be framed.
    """
    parts = [part for part in parts if part.name not in NOT_FRAMED and len(part.vertices)]
    if not parts:
        raise ValueError("got no part with vertices, expected at least one to frame")
    points = np.concatenate([part.vertices for part in parts])
    low, high = points.min(0).astype(float), points.max(0).astype(float)
    middle, sides = (low + high) / 2, high - low
    target = (float(middle[0]), float(middle[1]), float(middle[2]))
    head_height = max(float(sides.max()), 1e-6)
    camera = replace(camera or Camera(), target=target, head_height=head_height)
    # A sphere about the axis keeps the whole head in the picture while it turns.
    reach = max(hypot(sides[0], sides[2]) / 2, sides[1] / 2)
    nearest = max(camera.distance - sides[2] / 2, camera.distance / 10)
    angle = 2 * atan(max(reach, 1e-6) / nearest / (1 - 2 * margin))
    return replace(camera, field_of_view_degrees=min(degrees(angle), 170.0))
