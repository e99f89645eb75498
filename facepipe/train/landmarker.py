"""Training of the landmarker on teacher's points.

    python -m facepipe.train.landmarker --data DATA --labels LABELS --cache CACHE --out RUN

Half of the samples come framed as tracking frames them, half as a fresh detection does: turned by up to 45 degrees,
off centre, too large or too small. A tenth hold no face. The run goes on from RUN/checkpoint.pt when it is there.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from facepipe.face import topology
from facepipe.face.cropping import SquareCrop, aligned_crop, outer_eye_distance, transform_points
from facepipe.models.landmarker import Landmarker, LandmarkerConfig
from facepipe.train.augment import weather
from facepipe.train.faces import FaceCache, build_cache
from facepipe.train.split import split_items

CACHE_RATIO, CACHE_PIXELS = 2.2, 224
PORTRAIT_SHARE, NO_FACE_SHARE, DETECTION_SHARE = 0.4, 0.1, 0.45
FINE = sorted(
    {
        *topology.RIGHT_EYE,
        *topology.LEFT_EYE,
        *topology.LIP_INNER,
        *topology.LIP_OUTER,
        *topology.RIGHT_IRIS,
        *topology.LEFT_IRIS,
    }
)


@dataclass(frozen=True)
class Recipe:
    """Numbers of a training."""

    batch: int = 48
    steps: int = 9000
    peak_rate: float = 2e-3
    warm_up: int = 300
    decay: float = 1e-4
    average: float = 0.999
    seed: int = 1


def aligned_shapes(points: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return (N, 478, 3) points in sides of their aligned crops."""
    return np.stack([transform_points(row, aligned_crop(row).matrix(1)) for row in points]).astype(np.float32)


def mirror_permutation(shapes: NDArray[np.float32]) -> NDArray[np.intp]:
    """Find which point takes which one's place in a mirror, by matching the mean face with its mirror image."""
    mean = shapes.mean(0)
    mirrored = mean * (-1, 1, 1) + (1, 0, 0)
    distance = np.linalg.norm(mean[None] - mirrored[:, None], axis=-1)
    return linear_sum_assignment(distance**2)[1]  # type: ignore[no-any-return]


def jittered(crop: SquareCrop, random: np.random.Generator, *, as_detection: bool) -> SquareCrop:
    """Return the crop as tracking or a detection might have placed it."""
    turn, scale, shift = (0.85, 0.22, 0.10) if as_detection else (0.12, 0.08, 0.04)
    offset = random.normal(0, shift * crop.side / 1.5, 2)
    return SquareCrop(
        crop.center_x + float(offset[0]),
        crop.center_y + float(offset[1]),
        crop.side * float(np.exp(random.uniform(-scale, scale))),
        crop.angle_radians + float(random.uniform(-turn, turn)),
    )


class FaceSamples(IterableDataset[tuple[Tensor, Tensor, Tensor]]):
    """Endless random samples: picture (3, S, S) in [-1, 1], points (478, 3) in crop sides, 1 for a face or 0."""

    def __init__(self, cache: FaceCache, mirror: NDArray[np.intp], size_pixels: int, seed: int) -> None:
        self.cache, self.mirror, self.size_pixels, self.seed = cache, mirror, size_pixels, seed
        self.groups = [self._by_item(~cache.portrait), self._by_item(cache.portrait)]

    def _by_item(self, rows: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
        return [np.flatnonzero(rows & (self.cache.item == item)) for item in np.unique(self.cache.item[rows])]

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        worker = get_worker_info()
        cv2.setNumThreads(1)
        random = np.random.default_rng([self.seed, worker.id if worker else 0])
        while True:
            picture, points, face = self.sample(random)
            yield torch.from_numpy(picture).permute(2, 0, 1), torch.from_numpy(points), torch.tensor(face)

    def pick(self, random: np.random.Generator) -> int:
        """Choose a frame: first the kind, then the item, then the frame, so that long clips do not dominate."""
        group = self.groups[int(random.random() < PORTRAIT_SHARE)]
        return int(random.choice(group[random.integers(len(group))]))

    def sample(self, random: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float32], float]:
        """Draw one sample."""
        index, other = self.pick(random), self.pick(random)
        points = self.cache.points[index]
        crop = jittered(aligned_crop(points), random, as_detection=random.random() < DETECTION_SHARE)
        face = 1.0
        if random.random() < NO_FACE_SHARE:
            crop, face = self.beside(crop, random), 0.0
        matrix = crop.matrix(self.size_pixels)
        border = (cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT_101, cv2.BORDER_CONSTANT)[random.integers(3)]
        size = (self.size_pixels, self.size_pixels)
        picture = cv2.warpAffine(self.cache.pictures[index], matrix, size, flags=cv2.INTER_LINEAR, borderMode=border)
        shape = transform_points(points, matrix).astype(np.float32) / self.size_pixels
        picture = weather(picture, self.cache.pictures[other], random)  # type: ignore[arg-type]
        if random.random() < 0.5:
            picture = np.ascontiguousarray(picture[:, ::-1])
            shape = ((shape * (-1, 1, 1) + (1, 0, 0))[self.mirror]).astype(np.float32)
        return picture, shape, face

    def beside(self, crop: SquareCrop, random: np.random.Generator) -> SquareCrop:
        """Return a crop that misses the face: far off, or far too small a part of it."""
        angle, reach = random.uniform(0, 2 * np.pi), crop.side * random.uniform(0.65, 1.0)
        x, y = crop.center_x + reach * np.cos(angle), crop.center_y + reach * np.sin(angle)
        if random.random() < 0.3:
            return SquareCrop(float(x), float(y), crop.side * float(random.uniform(0.1, 0.3)), crop.angle_radians)
        return SquareCrop(float(x), float(y), crop.side * float(random.uniform(0.7, 1.3)), crop.angle_radians)


def loss_of(points: Tensor, logit: Tensor, truth: Tensor, face: Tensor) -> Tensor:
    """Return the mean point error in outer-eye distances (fine parts and lid and lip gaps count extra) plus face score."""
    eyes = (truth[:, topology.LEFT_EYE_OUTER] - truth[:, topology.RIGHT_EYE_OUTER]).norm(dim=-1).clamp_min(0.1)
    error = (points - truth) / eyes[:, None, None]
    distance = (error[..., :2].square().sum(-1) + 1e-5).sqrt() + 0.3 * error[..., 2].abs()
    upper = [*topology.RIGHT_LID_UPPER, *topology.LEFT_LID_UPPER, *topology.LIP_INNER_UPPER]
    lower = [*topology.RIGHT_LID_LOWER, *topology.LEFT_LID_LOWER, *topology.LIP_INNER_LOWER]
    gaps = (error[:, upper, :2] - error[:, lower, :2]).norm(dim=-1).mean(1)
    per_face = distance.mean(1) + 0.7 * distance[:, FINE].mean(1) + 0.5 * gaps
    score = torch.nn.functional.binary_cross_entropy_with_logits(logit, face)
    return (per_face * face).sum() / face.sum().clamp_min(1) + 0.05 * score


def start_at_components(net: Landmarker, shapes: NDArray[np.float32]) -> None:
    """Make the last layer the mean and principal components of the aligned shapes."""
    flat = torch.from_numpy(shapes.reshape(len(shapes), -1))
    mean = flat.mean(0)
    _, strengths, directions = torch.linalg.svd(flat - mean, full_matrices=False)
    count = min(net.config.code, len(strengths))
    with torch.no_grad():
        net.shape.bias.copy_(mean)
        net.shape.weight.zero_()
        net.shape.weight[:, :count] = (directions[:count] * strengths[:count, None] / len(flat) ** 0.5).T


@torch.no_grad()
def evaluate(net: Landmarker, cache: FaceCache) -> tuple[float, float]:
    """Return the mean point error over the outer-eye distance on clips and on portraits, framed by the truth."""
    net.eval()
    crops = [aligned_crop(points) for points in cache.points]
    size, errors = net.config.size_pixels, []
    for start in range(0, len(crops), 64):
        rows = range(start, min(start + 64, len(crops)))
        matrices = [crops[row].matrix(size) for row in rows]
        pictures = [
            cv2.warpAffine(cache.pictures[row], m, (size, size), borderMode=cv2.BORDER_REPLICATE)
            for row, m in zip(rows, matrices, strict=True)
        ]
        batch = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1
        truth = np.stack([transform_points(cache.points[row], m) / size for row, m in zip(rows, matrices, strict=True)])
        found = net(batch).points.numpy()
        distance = np.linalg.norm(found[..., :2] - truth[..., :2], axis=-1).mean(1)
        errors.append(distance / outer_eye_distance(truth))
    net.train()
    error = np.concatenate(errors)
    return float(error[~cache.portrait].mean()), float(error[cache.portrait].mean())


def rate_at(step: int, recipe: Recipe) -> float:
    """Return the learning rate: a short rise, then a half cosine to nothing."""
    if step < recipe.warm_up:
        return recipe.peak_rate * (step + 1) / recipe.warm_up
    return recipe.peak_rate * 0.5 * (1 + float(np.cos(np.pi * min(1.0, step / recipe.steps))))


def train(data: Path, labels: Path, cache: Path, out: Path, recipe: Recipe) -> None:
    """Train, resuming where a checkpoint says, and write RUN/landmarker.pt (the averaged network) at every evaluation."""
    out.mkdir(parents=True, exist_ok=True)
    seen, unseen = split_items(data)
    faces = build_cache(seen, labels, cache / "train", ratio=CACHE_RATIO, size_pixels=CACHE_PIXELS)
    held_out = build_cache(
        unseen, labels, cache / "unseen", ratio=CACHE_RATIO, size_pixels=CACHE_PIXELS, frames_per_clip=24
    )
    torch.manual_seed(recipe.seed)
    shapes = aligned_shapes(faces.points)
    net = Landmarker(LandmarkerConfig())
    start_at_components(net, shapes)
    mean = torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(recipe.average), use_buffers=True
    )
    optimiser = torch.optim.AdamW(net.parameters(), lr=recipe.peak_rate, weight_decay=recipe.decay)
    first = 0
    if (out / "checkpoint.pt").exists():
        state = torch.load(out / "checkpoint.pt", weights_only=True)
        net.load_state_dict(state["net"])
        mean.load_state_dict(state["mean"])
        optimiser.load_state_dict(state["optimiser"])
        first = state["step"]
    samples = FaceSamples(faces, mirror_permutation(shapes), net.config.size_pixels, recipe.seed + first)
    loader = iter(DataLoader(samples, batch_size=recipe.batch, num_workers=1, prefetch_factor=4))
    net.to(memory_format=torch.channels_last)
    began, total = time.monotonic(), 0.0
    for step in range(first, recipe.steps):
        pictures, truth, face = next(loader)
        pictures = (pictures.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step, recipe)
        found = net(pictures)
        loss = loss_of(found.points, found.face_logit, truth, face.float())
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        mean.update_parameters(net)
        total += float(loss.detach())
        if (step + 1) % 100 == 0:
            speed = (step + 1 - first) * recipe.batch / (time.monotonic() - began)
            print(
                f"step {step + 1} loss {total / 100:.4f} rate {rate_at(step, recipe):.2e} {speed:.0f} images/s",
                flush=True,
            )
            total = 0.0
        if (step + 1) % 500 == 0 or step + 1 == recipe.steps:
            clips, portraits = evaluate(mean.module, held_out)
            print(f"step {step + 1} unseen: clips {clips:.4f} portraits {portraits:.4f}", flush=True)
            state = {
                "net": net.state_dict(),
                "mean": mean.state_dict(),
                "optimiser": optimiser.state_dict(),
                "step": step + 1,
            }
            torch.save(state, out / "checkpoint.part")
            os.replace(out / "checkpoint.part", out / "checkpoint.pt")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "labels", "cache", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    parser.add_argument("--batch", type=int, default=Recipe.batch)
    options = parser.parse_args()
    train(options.data, options.labels, options.cache, options.out, Recipe(steps=options.steps, batch=options.batch))


if __name__ == "__main__":
    main()
