"""Networks that some measures need: third-party ones if the user registered them, else reported as missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from facepipe import weights
from facepipe.errors import WeightsError
from facepipe.evaluate.perceptual import FaceFeatures, lpips_of
from facepipe.evaluate.pixels import Floats, Picture
from facepipe.face import topology as at
from facepipe.face.bfm.network import Regressor
from facepipe.media.image import to_tensor

# Positions of eyes, nose and corners of the mouth in the 112 pixels of a recognition network's input (ArcFace).
RECOGNITION_PIXELS = 112
RECOGNITION_PLACES = ((38.29, 51.70), (73.53, 51.50), (56.03, 71.74), (41.55, 92.37), (70.73, 92.20))
NEEDED = {"lpips": ("alexnet", "lpips"), "fid": ("inception",), "identity": ("recognition",), "bfm": ("deep3d",)}
Measure = TypeVar("Measure")


class Networks:
    """The networks of LPIPS, FID, identity similarity and the space bfm; None for those that are not registered.

    The networks of the feature distance are embedded.
    """

    def __init__(self) -> None:
        """Open the registered networks. Raises WeightsError if a weight is damaged or holds another network."""
        self.missing: dict[str, str] = {}
        """By measure: how to register its networks."""
        self.face = FaceFeatures()
        self.lpips = self._open("lpips", open_lpips)
        self.features = self._open("fid", open_inception)
        self.embed = self._open("identity", open_recognition)
        self.regressor = self._open("bfm", Regressor)

    def _open(self, measure: str, opening: Callable[..., Measure]) -> Measure | None:
        absent = [name for name in NEEDED[measure] if name not in weights.registered()]
        if absent:
            self.missing[measure] = "; ".join(weights.THIRD_PARTY[name].remedy(name) for name in absent)
            return None
        return opening(*(weights.find(name).path for name in NEEDED[measure]))


def open_lpips(alexnet: Path, shares: Path) -> Callable[[Picture, Picture], float]:
    """Return the LPIPS distance of two pictures of the same size."""
    try:
        measure = lpips_of(load_file(alexnet), load_file(shares))
    except (KeyError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(
            f"{alexnet} and {shares} are not the networks of LPIPS ({reason}); docs/evaluation.md lists the files"
        ) from error
    return lambda picture, truth: float(measure.distance(to_tensor(picture)[None], to_tensor(truth)[None])[0])


def open_inception(path: Path) -> Callable[[Picture], Floats]:
    """Return a function that computes the features (D,) of a picture.

    The script takes (B, 3, H, W) uint8 RGB, and `return_features=True` if it has that parameter.
    """
    net = _script(path)
    known = [argument.name for argument in net.forward.schema.arguments]
    options = {"return_features": True} if "return_features" in known else {}

    def features(picture: Picture) -> Floats:
        pixels = torch.from_numpy(np.ascontiguousarray(picture)).movedim(-1, 0)[None]
        return _vector(path, net, pixels, options)

    return features


def open_recognition(path: Path) -> Callable[[Picture, Floats], Floats]:
    """Return a function that computes a face's embedding (D,) of length 1 from a picture and (478, 2 or 3) points."""
    net = _script(path)

    def embed(picture: Picture, points: Floats) -> Floats:
        vector = _vector(path, net, to_tensor(aligned(picture, points))[None], {})
        return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9))

    return embed


def aligned(picture: Picture, points: Floats) -> Picture:
    """Return the face as a recognition network expects it, (112, 112, 3), aligned by five points."""
    eyes = [points[list(eye), :2].mean(0) for eye in (at.RIGHT_EYE, at.LEFT_EYE)]
    five = np.array([*eyes, points[at.NOSE_TIP, :2], points[at.MOUTH_RIGHT, :2], points[at.MOUTH_LEFT, :2]])
    return np.asarray(
        cv2.warpAffine(picture, similarity(five, np.array(RECOGNITION_PLACES)), (RECOGNITION_PIXELS,) * 2), np.uint8
    )


def similarity(points: Floats, places: Floats) -> NDArray[np.float64]:
    """Return the 2x3 similarity transform that maps (N, 2) points to `places` with the smallest squared error."""
    x, y = points[:, 0], points[:, 1]
    zero, one = np.zeros_like(x), np.ones_like(x)
    rows = np.concatenate([np.stack([x, -y, one, zero], 1), np.stack([y, x, zero, one], 1)])
    a, b, right, down = np.linalg.lstsq(rows, places.T.reshape(-1), rcond=None)[0]
    return np.array([[a, -b, right], [b, a, down]])


def _script(path: Path) -> Any:
    try:
        return torch.jit.load(str(path), map_location="cpu").eval()  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        raise WeightsError(
            f"{path} is not a TorchScript file that this version of torch can open ({str(error).splitlines()[0]})"
        ) from error


def _vector(path: Path, net: Any, pixels: Tensor, options: dict[str, bool]) -> Floats:
    try:
        with torch.inference_mode():
            found = net(pixels, **options)
        return np.asarray(found.reshape(len(pixels), -1)[0].double().numpy())
    except (RuntimeError, AttributeError) as error:
        raise WeightsError(
            f"{path} does not accept pictures of shape {tuple(pixels.shape)} and dtype {pixels.dtype} "
            f"({str(error).strip().splitlines()[-1]}); docs/evaluation.md describes its inputs"
        ) from error
