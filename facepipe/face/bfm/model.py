"""The Basel Face Model as Deep3DFaceRecon uses it: surface, colours and projected landmarks from coefficients.

Axes: x to the right of the picture, y up, z towards the camera; lengths in decimetres, colours in [0, 1]. Functions
take T rows of coefficients and keep the precision of the model's arrays.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from facepipe.errors import WeightsError
from facepipe.face.bfm.layout import Row
from facepipe.face.pose import rotation_of
from facepipe.models.rows import row_combination

KIND = "bfm"
CAMERA_DISTANCE, FOCAL_PIXELS, CENTER_PIXELS = 10.0, 1015.0, 112.0
#: Added to the constant term of the lighting: the ambient light for coefficients of zero.
AMBIENT = 0.8
Floats = NDArray[np.floating]
Indices = NDArray[np.int32]


@dataclass(frozen=True)
class BfmModel:
    """Linear model of N vertices and M triangles; the bases are already scaled by their standard deviations."""

    mean: Floats
    """(N, 3) mean shape, centred at the origin."""
    identity: Floats
    """(80, N, 3)"""
    expression: Floats
    """(64, N, 3)"""
    mean_texture: Floats
    """(N, 3) mean colours, 0 to 255."""
    texture: Floats
    """(80, N, 3)"""
    triangles: Indices
    """(M, 3) vertices of each triangle; all indices count from 0."""
    vertex_triangles: Indices
    """(N, 8) triangles around each vertex; M means none."""
    front_triangles: Indices
    """(K, 3) triangles of the front of the face."""
    front: Indices
    """(L,) vertices of the front of the face."""
    keypoints: Indices
    """(68,) vertices of the 68 landmarks."""
    skin: Floats
    """(N,) 1 for vertices of the skin, else 0."""

    def of_keypoints(self) -> BfmModel:
        """Return the model restricted to the 68 landmarks, without a surface."""
        some, none = self.keypoints, np.zeros((0, 3), np.int32)
        return replace(
            self,
            mean=self.mean[some],
            identity=self.identity[:, some],
            expression=self.expression[:, some],
            mean_texture=self.mean_texture[some],
            texture=self.texture[:, some],
            triangles=none,
            vertex_triangles=none,
            front_triangles=none,
            front=none[:, 0],
            keypoints=np.arange(len(some), dtype=np.int32),
            skin=self.skin[some],
        )

    def shape(self, row: Row) -> Floats:
        """Return (T, N, 3) vertices before the head pose is applied."""
        offsets = row_combination(row.identity, self.identity) + row_combination(row.expression, self.expression)
        return np.asarray(self.mean + offsets)

    def albedo(self, row: Row) -> Floats:
        """Return (T, N, 3) unlit colours, about 0 to 1."""
        return np.asarray((self.mean_texture + row_combination(row.texture, self.texture)) / 255)

    def normals(self, shape: Floats) -> Floats:
        """Return the (T, N, 3) unit normals of (T, N, 3) vertices: the mean normal of the adjacent triangles."""
        first, second, third = (shape[:, self.triangles[:, corner]] for corner in range(3))
        faces = _unit(np.cross(first - second, second - third))
        # Append a zero normal for vertices with fewer than eight triangles.
        faces = np.concatenate([faces, np.zeros_like(faces[:, :1])], axis=1)
        return _unit(faces[:, self.vertex_triangles].sum(2))

    def colours(self, row: Row) -> Floats:
        """Return (T, N, 3) colours under the lighting of the coefficients."""
        turned = turn(self.normals(self.shape(row)), row.angles)
        return lit(self.albedo(row), turned, row.lighting)

    def placed(self, row: Row) -> Floats:
        """Return (T, N, 3) vertices with the head pose applied: rotated and translated."""
        return np.asarray(turn(self.shape(row), row.angles) + row.translation[:, None])

    def landmarks(self, row: Row) -> Floats:
        """Return the (T, 68, 2) landmarks in pixels of the square, y up."""
        return project(self.placed(row)[:, self.keypoints])


def turn(vectors: Floats, angles: Floats) -> Floats:
    """Rotate (T, N, 3) vectors by (T, 3) pitch, yaw, roll in radians: R = Rz(roll) Ry(yaw) Rx(pitch), right-handed."""
    return np.asarray(vectors @ rotation_of(angles).transpose(0, 2, 1).astype(vectors.dtype))


def project(points: Floats) -> Floats:
    """Project (T, N, 3) points into the square of 224 pixels: (T, N, 2), y up, so that row = 223 - y."""
    depth = CAMERA_DISTANCE - points[..., 2:]
    return np.asarray(FOCAL_PIXELS * points[..., :2] / depth + CENTER_PIXELS)


def lit(albedo: Floats, normals: Floats, lighting: Floats) -> Floats:
    """Light (T, N, 3) colours by rotated unit normals and (T, 27) coefficients: nine harmonics each for R, G, B."""
    light = lighting.reshape(-1, 3, 9).copy()
    light[:, :, 0] += AMBIENT
    return np.asarray(harmonics(normals) @ light.transpose(0, 2, 1).astype(normals.dtype) * albedo)


def harmonics(normals: Floats) -> Floats:
    """Return the first nine spherical harmonics (…, 9) of unit vectors (…, 3), weighted by the cosine lobe."""
    x, y, z = np.moveaxis(normals, -1, 0)
    constant = np.pi / np.sqrt(4 * np.pi)
    linear = 2 * np.pi / np.sqrt(3) * np.sqrt(3) / np.sqrt(4 * np.pi)
    square = 2 * np.pi / np.sqrt(8) * 3 * np.sqrt(5) / np.sqrt(12 * np.pi)
    terms = (
        np.full_like(x, constant),
        -linear * y,
        linear * z,
        -linear * x,
        square * x * y,
        -square * y * z,
        square * (3 * z**2 - 1) / (2 * np.sqrt(3)),
        -square * x * z,
        square * (x**2 - y**2) / 2,
    )
    return np.stack(terms, axis=-1)


def _unit(vectors: Floats) -> Floats:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-12))


def load_bfm(path: Path) -> BfmModel:
    """Read the model from the file created by `facepipe weights add bfm`. Raises WeightsError for any other file."""
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            tensors: dict[str, NDArray[Any]] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not iterable itself
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is not a readable safetensors file ({error}). Add the model again.") from error
    if header.get("kind") != KIND or set(tensors) != {one.name for one in fields(BfmModel)}:
        raise WeightsError(
            f"{path} contains {header.get('kind')!r}, not the face model of the motion space bfm. "
            "Add it again: facepipe weights add bfm BFM_model_front.mat"
        )
    return BfmModel(**tensors)
