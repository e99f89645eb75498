"""Alternative landmarker: the 68 points of the package face_alignment, with the face model fitted to them.

The constructor of the package downloads its networks without verification. It is bypassed here: the networks are built
from our verified files, and the boxes come from our detector.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from facepipe.checkpoint import THREADS
from facepipe.errors import ToolError, WeightsError
from facepipe.face.cropping import ALIGNED_SIDE_RATIO, SquareCrop, invert, sample, transform_points
from facepipe.face.fitting import fit
from facepipe.face.landmarker import Located
from facepipe.face.model import FaceModel, load_face_model

Net = TypeVar("Net", bound=nn.Module)
Points = NDArray[np.floating]

# The package takes about twice the face's box as its view, and locates points to 1/256 of that.
VIEW_RATIO, VIEW_PIXELS = 2.6, 512
NOSE_TIP, JAW_ENDS = 30, (0, 16)
# Mean peak of the heat maps of a clearly visible face: the score is 1 there and proportional below.
SURE_PEAK = 0.6


class FanLandmarker:
    """Locates 68 points and returns the 478 points of the face model fitted to them."""

    def __init__(self, points_weight: Path, depth_weight: Path, face_model: Path) -> None:
        torch.set_num_threads(THREADS)
        self.package = _constructed(points_weight, depth_weight)
        self.model = load_face_model(face_model)
        self.sixty_eight = self.model.restricted(self.model.sixty_eight)

    def locate(self, pictures: Sequence[NDArray[np.uint8]], crops: Sequence[SquareCrop]) -> Located:
        """Locate the points of the face in each crop of each (H, W, 3) uint8 RGB picture."""
        found = [self._sixty_eight(picture, crop) for picture, crop in zip(pictures, crops, strict=True)]
        own = np.stack([one for one, _ in found])
        # Fit each face alone: a batch may show several people, and a frame must not depend on the rest of its batch.
        points = np.concatenate([mesh_of(self.model, self.sixty_eight, one[None]) for one in own])
        score = np.array([score for _, score in found], np.float32)
        return Located(points.astype(np.float32), score, own.astype(np.float32))

    def _sixty_eight(self, picture: NDArray[np.uint8], crop: SquareCrop) -> tuple[Points, float]:
        """Return (68, 3) points in pixels of the picture, z smaller towards the camera, and their score."""
        face = crop.side / ALIGNED_SIDE_RATIO
        view = SquareCrop(crop.center_x, crop.center_y, VIEW_RATIO * face, crop.angle_radians)
        half, middle = VIEW_PIXELS / VIEW_RATIO / 2, (VIEW_PIXELS - 1) / 2
        box = np.array([middle - half, middle - half, middle + half, middle + half])
        points, scores, _ = self.package.get_landmarks_from_image(
            sample(picture, view, VIEW_PIXELS), detected_faces=[box], return_landmark_score=True
        )
        score = float(np.clip(np.mean(scores[0]) / SURE_PEAK, 0, 1))
        return transform_points(towards_camera(points[0]), invert(view.matrix(VIEW_PIXELS))), score


def towards_camera(points: Points) -> Points:
    """Return (68, 3) points with z smaller towards the camera: the nose tip is in front of the ends of the jaw."""
    flipped = points[NOSE_TIP, 2] > points[list(JAW_ENDS), 2].mean()
    return points * (1, 1, -1 if flipped else 1)


def mesh_of(model: FaceModel, sixty_eight: FaceModel, points: Points) -> Points:
    """Fit `sixty_eight`, the restricted model, to (T, 68, 3) points of one person. Returns (T, 478, 3) mesh points."""
    fitted = fit(sixty_eight, points, np.ones(len(points), bool))
    return fitted.pose.apply(model.shape(fitted.identity, fitted.expression))


def _constructed(points_weight: Path, depth_weight: Path) -> Any:
    """Build the package's object without its constructor. Raises ToolError if the package is missing."""
    try:
        from face_alignment import FaceAlignment, LandmarksType  # noqa: PLC0415 - an extra
        from face_alignment.models import FAN, ResNetDepth  # noqa: PLC0415
        from face_alignment.utils import REFERENCE_SCALE  # noqa: PLC0415
    except (ImportError, OSError) as error:
        raise ToolError(missing_package(str(error))) from error
    package = object.__new__(FaceAlignment)
    package.device, package.dtype = "cpu", torch.float32
    package.landmarks_type, package.flip_input = LandmarksType.THREE_D, False
    package.verbose, package.max_batch_size = False, 1
    package.face_detector = SimpleNamespace(reference_scale=REFERENCE_SCALE)
    package.face_alignment_net = _loaded(FAN(4), points_weight, "fan-3d")
    package.depth_prediciton_net = _loaded(ResNetDepth(), depth_weight, "fan-depth")
    return package


def missing_package(reason: str) -> str:
    """Return the error message for the missing package, with the command that installs it."""
    return (
        f"--landmarker face-alignment needs the package face-alignment ({reason}): "
        "pip install 'facepipe[face-alignment]', or omit the option"
    )


def _loaded(net: Net, path: Path, name: str) -> Net:
    try:
        net.load_state_dict(load_file(path), strict=True)
    except (SafetensorError, OSError, RuntimeError) as error:
        raise WeightsError(
            f"{path} does not hold the network {name} of the installed face-alignment "
            f"({str(error).splitlines()[0]}): add the file of this version of the package"
        ) from error
    return net.eval().requires_grad_(False)
