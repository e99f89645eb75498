"""Figures of the network on held-out people of the training data: pictures, and motion by our own landmarker."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facepipe.face import topology as at
from facepipe.face.fitting import fit
from facepipe.face.model import FaceModel
from facepipe.face.pose import angles_of
from facepipe.models.landmarker import Landmarker
from facepipe.renderers.imf.compact.net import ImfCompact, Made
from facepipe.train.loop import to_network
from facepipe.train.pirender.frame_cache import FrameCache
from facepipe.train.pirender.landmarks import LandmarkerLosses
from facepipe.train.pirender.losses import detail

FRAMES_OF_A_CLIP, SHEET_CLIPS = 16, 6
Picture = NDArray[np.uint8]
Floats = NDArray[np.floating]


class Validation:
    """The first frame of each clip as reference for others of the clip."""

    def __init__(self, cache: FrameCache, clips: list[int], model: FaceModel, landmarker: Landmarker) -> None:
        self.model, self.landmarker = model, LandmarkerLosses(landmarker).eval()
        self.clips = kept_frames(cache, clips)

    @torch.no_grad()
    def __call__(self, net: ImfCompact) -> tuple[dict[str, float], Picture]:
        """Return figures, and rows of source, truth, carried, generated, share and result."""
        sums: dict[str, list[float]] = {}
        followed: dict[str, list[tuple[Floats, Floats]]] = {}
        rows = []
        for frames, points in self.clips:
            pictures = to_network(frames)
            prepared, truth = net.prepare(pictures[:1]), pictures[1:]
            parts = [net.made(prepared, net.motion_decoder(net.token(one[None]))) for one in truth]
            result = torch.cat([part.picture for part in parts]).float().clamp(-1, 1)
            carried = torch.cat([part.carried for part in parts]).float()
            for name, value in figures(truth, result=result, carried=carried, unmoved=pictures[:1]).items():
                sums.setdefault(name, []).append(value)
            wanted, got = (signals(self._points(part, points[1:]), self.model) for part in (truth, result))
            for name, values in wanted.items():
                followed.setdefault(name, []).append((values - values.mean(), got[name] - got[name].mean()))
            rows += [sheet_row(pictures[0], truth[at], parts[at]) for at in (4, 12)]
        found = {name: float(np.mean(values)) for name, values in sums.items()}
        for name, pairs in followed.items():
            first, second = (np.concatenate(side) for side in zip(*pairs, strict=True))
            found[f"r {name}"] = float(np.corrcoef(first, second)[0, 1])
        return found, sheet_of(rows[: 2 * SHEET_CLIPS])

    def _points(self, pictures: Tensor, points: NDArray[np.float32]) -> Floats:
        """Return the landmarks that our landmarker finds, in units of the crop around the true ones."""
        frame = self.landmarker.frame(torch.from_numpy(points), pictures.shape[-1])
        with torch.autocast(pictures.device.type, enabled=False):
            found = self.landmarker.net(self.landmarker.crop(pictures, frame)).points
        return np.asarray(found.numpy(), np.float64) * 256


def signals(points: Floats, model: FaceModel) -> dict[str, Floats]:
    """Return signals of shape (T,) of (T, 478, 3) points: angles, and the gaps of lips and lids."""
    fitted = fit(model, points, np.ones(len(points), bool))
    shapes, angles = fitted.pose.undo(points), angles_of(fitted.pose.rotation)

    def gap(upper: tuple[int, ...], lower: tuple[int, ...]) -> Floats:
        return np.asarray(np.linalg.norm(shapes[:, list(upper)] - shapes[:, list(lower)], axis=-1).mean(1))

    eyes = gap(at.RIGHT_LID_UPPER, at.RIGHT_LID_LOWER) + gap(at.LEFT_LID_UPPER, at.LEFT_LID_LOWER)
    mouth = gap(at.LIP_INNER_UPPER, at.LIP_INNER_LOWER)
    return {"pitch": angles[:, 0], "yaw": angles[:, 1], "roll": angles[:, 2], "mouth": mouth, "eyes": eyes}


def kept_frames(cache: FrameCache, clips: list[int]) -> list[tuple[Tensor, NDArray[np.float32]]]:
    """Return, of each clip, evenly spaced frames (N, 3, S, S) uint8 and their landmarks (N, 478, 3)."""
    kept = []
    for clip in clips:
        rows = cache.clip(clip)
        there = rows.start + np.flatnonzero(cache.valid[rows])
        chosen = there[np.linspace(0, len(there) - 1, FRAMES_OF_A_CLIP + 1).astype(int)]
        frames = torch.from_numpy(np.array(cache.frames[chosen])).permute(0, 3, 1, 2)
        kept.append((frames, np.array(cache.points[chosen])))
    return kept


def figures(truth: Tensor, **made: Tensor) -> dict[str, float]:
    """Return PSNR in dB and SSIM of one clip for each of the given pictures, and the error of the result's detail."""
    found = {}
    for name, pictures in made.items():
        shown = pictures.expand_as(truth)
        error = (shown - truth).square().mean((1, 2, 3)) / 4
        found[f"psnr {name}"] = float((-10 * torch.log10(error.clamp_min(1e-9))).mean())
        found[f"ssim {name}"] = float(np.mean([ssim(a, b) for a, b in zip(shown, truth, strict=True)]))
    return found | {"detail": float(detail(made["result"], truth))}


def ssim(first: Tensor, second: Tensor) -> float:
    """Return the structural similarity of grey pictures, with a Gaussian window of 1.5 pixels."""
    one, other = (((part.float().mean(0) + 1) / 2).numpy() for part in (first, second))

    def mean(part: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.asarray(cv2.GaussianBlur(part, (11, 11), 1.5))

    middle, middle_other = mean(one), mean(other)
    spread, spread_other = mean(one * one) - middle**2, mean(other * other) - middle_other**2
    both = mean(one * other) - middle * middle_other
    top = (2 * middle * middle_other + 0.01**2) * (2 * both + 0.03**2)
    return float((top / ((middle**2 + middle_other**2 + 0.01**2) * (spread + spread_other + 0.03**2))).mean())


def sheet_row(source: Tensor, truth: Tensor, made: Made) -> Tensor:
    """Return (3, S, 6 S): source, truth, carried, generated, share of the carried picture, result."""
    share = made.share[0].float().expand(3, -1, -1) * 2 - 1
    parts = (source, truth, made.carried[0], made.generated[0], share, made.picture[0])
    return torch.cat([part.float() for part in parts], 2)


def sheet_of(rows: list[Tensor]) -> Picture:
    """Return rows of pictures at half size, as (H, W, 3) uint8."""
    sheet = torch.nn.functional.avg_pool2d(torch.cat(rows, 1)[None], 2)[0]
    return np.asarray(((sheet + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy())
