"""The square of a portrait that bi-layer networks see, and its place in facepipe's crop."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facepipe.face import topology
from facepipe.face.cropping import SquareCrop, sample
from facepipe.media.image import from_tensor, to_tensor
from facepipe.rendering.source import Picture, Source
from facepipe.spaces.keypoints68.coefficients import KeypointCoefficients
from facepipe.spaces.keypoints68.landmarks import Box, box_around

Floats = NDArray[np.floating]

CHIN = topology.SIXTY_EIGHT.index(topology.CHIN)
# Height of the transition at the chin from nothing to the body beside the box, as a part of the crop.
BODY_FADE_RATIO = 0.05


class View:
    """A box of a square picture at N x N pixels.

    Beyond the picture it is black, as in the published system, and not part of the matte.
    """

    def __init__(self, box: Box, size_pixels: int, side_pixels: int) -> None:
        """Take one box, the side of the picture, and N."""
        (center,), half = box.center * size_pixels / 2 + (size_pixels - 1) / 2, float(box.half_side[0])
        self.side = side_pixels
        self.square = SquareCrop(float(center[0]), float(center[1]), half * size_pixels)
        self._covered = _outline(self.square.matrix(side_pixels), size_pixels, side_pixels)

    def picture(self, picture: Picture) -> Picture:
        """Return the (N, N, 3) box of a picture."""
        cut = sample(picture, self.square, self.side) * self._covered[..., None]
        return np.round(cut).astype(np.uint8)

    def matte(self, matte: Floats) -> NDArray[np.float32]:
        """Return the (N, N) box of a matte in [0, 1]."""
        cut = sample(cast("Picture", np.asarray(matte, np.float32)), self.square, self.side) * self._covered
        return np.asarray(cut, np.float32)


class Framing:
    """The box around the landmarks of one source, fixed for all its frames, at N x N pixels.

    The box is chosen by the published rule (`landmarks.box_around`) and cut from the crop (`View`).
    """

    def __init__(self, source: Source, side_pixels: int) -> None:
        """Choose the box of a source with a matte and coefficients of the space `keypoints68`."""
        assert source.matte is not None, "the renderer bilayer needs the matte of the source"
        self.source, self.side = source, side_pixels
        self.own = cast("KeypointCoefficients", source.coefficients).keypoints[:1]
        self.box = box_around(self.own)
        size = len(source.picture)
        self.view = View(self.box, size, side_pixels)
        square = self.view.square
        # From pixels of the box to pixels of the crop.
        middle = (side_pixels - 1) / 2
        pixels = side_pixels / square.side
        crop_center = (size - 1) / 2 - np.array([square.center_x, square.center_y])
        x, y = (middle + pixels * crop_center).tolist()
        self._crop = SquareCrop(x, y, pixels * size)
        self._shown = _outline(self._crop.matrix(size), side_pixels, size)[..., None]
        self._beside = self._body()

    def picture(self) -> Tensor:
        """Return the (1, 3, N, N) picture of the box in [-1, 1]."""
        return to_tensor(self.view.picture(self.source.picture))[None]

    def matte(self) -> Tensor:
        """Return the (1, 1, N, N) matte of the box in [0, 1]."""
        return torch.from_numpy(self.view.matte(np.asarray(self.source.matte)))[None, None]

    def keypoints(self, keypoints: Floats | None = None) -> Tensor:
        """Convert (T, 68, 2) landmarks of the crop to float32 landmarks of the box; None for the source's."""
        points = self.own if keypoints is None else keypoints
        box = type(self.box)(*(np.repeat(part, len(points), axis=0) for part in self.box))
        return torch.from_numpy(box.normalised(points).astype(np.float32))

    def placed(self, rgb: Tensor, mask: Tensor) -> Picture:
        """Return the (S, S, 4) crop with straight alpha of a (3, N, N) picture in [-1, 1] and its (1, N, N) mask.

        Beside the box the body of the source is shown, below the chin and within the matte.
        """
        alpha = (mask.detach().float() * 255).round_().clamp_(0, 255).to(torch.uint8).cpu().numpy()[0]
        made = np.dstack([from_tensor(rgb), alpha])
        inside = sample(made, self._crop, len(self.source.picture))
        return np.round(self._beside + self._shown * (inside - self._beside)).astype(np.uint8)

    def _body(self) -> NDArray[np.float32]:
        """Return the (S, S, 4) source, with the matte below the chin as alpha."""
        size = len(self.source.picture)
        chin = float(self.own[0, CHIN, 1]) * size / 2 + (size - 1) / 2
        below = np.clip((np.arange(size) - chin) / (BODY_FADE_RATIO * size), 0, 1)
        alpha = 255 * np.asarray(self.source.matte) * below[:, None]
        return np.dstack([self.source.picture, alpha]).astype(np.float32)


def _outline(matrix: Floats, input_pixels: int, output_pixels: int) -> NDArray[np.float32]:
    """Return (N, N) the share of each pixel that a square picture covers after a 2x3 affine map."""
    whole = np.ones((input_pixels, input_pixels), np.float32)
    size = (output_pixels, output_pixels)
    return np.asarray(cv2.warpAffine(whole, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT))
