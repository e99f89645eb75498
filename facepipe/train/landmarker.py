"""Training of the landmarker on teacher's points.

    facepipe train landmarker --data DATA --labels LABELS --cache CACHE --out RUN
        [--renderings RENDERINGS --renderings-labels LABELS] [--start OTHER-RUN/checkpoint.pt]

RENDERINGS are what `facepipe train renderings` makes, labelled as DATA is; their crops are cached beside the others.
--start begins with the averaged network of another run instead of a new one. The run goes on from RUN/checkpoint.pt
when it is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader

from facepipe.face import topology
from facepipe.face.cropping import aligned_crop, outer_eye_distance, sample
from facepipe.face.mirror import aligned_shapes, mirror_permutation
from facepipe.models.landmarker import Landmarker, LandmarkerConfig
from facepipe.train.command import parser_of
from facepipe.train.crops import FaceSamples
from facepipe.train.faces import FaceCache, build_cache
from facepipe.train.loop import Recipe, fit, to_network
from facepipe.train.split import Item, split_items

CACHE_RATIO, CACHE_PIXELS, FEW_FRAMES_PER_CLIP = 2.2, 224, 24
RECIPE = Recipe(batch=48, steps=6400, peak_rate=2e-3)
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


def face_loss(points: Tensor, logit: Tensor, truth: Tensor, face: Tensor) -> Tensor:
    """Return the point error in outer-eye distances (fine parts and gaps count extra) plus the face score's."""
    eyes = (truth[:, topology.LEFT_EYE_OUTER] - truth[:, topology.RIGHT_EYE_OUTER]).norm(dim=-1).clamp_min(0.1)
    error = (points - truth) / eyes[:, None, None]
    distance = (error[..., :2].square().sum(-1) + 1e-5).sqrt() + 0.5 * error[..., 2].abs()
    upper = [*topology.RIGHT_LID_UPPER, *topology.LEFT_LID_UPPER, *topology.LIP_INNER_UPPER]
    lower = [*topology.RIGHT_LID_LOWER, *topology.LEFT_LID_LOWER, *topology.LIP_INNER_LOWER]
    gaps = (error[:, upper, :2] - error[:, lower, :2]).norm(dim=-1).mean(1)
    per_face = distance.mean(1) + 0.7 * distance[:, FINE].mean(1) + gaps
    score = nn.functional.binary_cross_entropy_with_logits(logit, face)
    total: Tensor = (per_face * face).sum() / face.sum().clamp_min(1) + 0.05 * score
    return total


def loss_of(net: nn.Module, batch: Any) -> Tensor:
    """Return the loss of a batch of samples."""
    pictures, truth, face = batch
    found = net(to_network(pictures))
    return face_loss(found.points, found.face_logit, truth, face.float())


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


def errors(net: nn.Module, cache: FaceCache) -> NDArray[np.floating]:
    """Return each face's mean point error over the outer-eye distance, framed by the truth."""
    size, found = cast("Landmarker", net).config.size_pixels, []
    for start in range(0, len(cache.points), 64):
        rows = range(start, min(start + 64, len(cache.points)))
        crops = [aligned_crop(cache.points[row]) for row in rows]
        pictures = [sample(cache.pictures[row], crop, size) for row, crop in zip(rows, crops, strict=True)]
        batch = to_network(torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2))
        truth = [crop.normalised(cache.points[row]) for row, crop in zip(rows, crops, strict=True)]
        distance = np.linalg.norm(net(batch).points.numpy()[..., :2] - np.stack(truth)[..., :2], axis=-1).mean(1)
        found.append(distance / outer_eye_distance(np.stack(truth)))
    return np.concatenate(found)


def rendered_faces(renderings: Path, labels: Path, cache: Path) -> FaceCache:
    """Return the crops of `facepipe train renderings`."""
    items = [
        Item(path=path, kind="clip", identity="", fps="", has_sound=False)
        for path in sorted((renderings / "clips").glob("*.mp4"))
    ]
    return build_cache(
        items, labels, cache, ratio=CACHE_RATIO, size_pixels=CACHE_PIXELS, frames_per_clip=FEW_FRAMES_PER_CLIP
    )


def start_at_run(net: nn.Module, checkpoint: Path) -> None:
    """Take over the averaged network of another run."""
    mean = torch.load(checkpoint, weights_only=True)["mean"]
    net.load_state_dict({name[7:]: value for name, value in mean.items() if name.startswith("module.")})


def train(
    data: Path,
    labels: Path,
    cache: Path,
    out: Path,
    recipe: Recipe,
    *,
    renderings: tuple[Path, Path] | None = None,
    start: Path | None = None,
) -> nn.Module:
    """Train and return the averaged network; `renderings` are those clips and their labels."""
    # A worker forked while OpenCV's threads are about waits for them for ever.
    cv2.setNumThreads(1)
    seen, unseen = split_items(data)
    sizes: dict[str, Any] = {"ratio": CACHE_RATIO, "size_pixels": CACHE_PIXELS}
    faces = build_cache(seen, labels, cache / "train", **sizes)
    held_out = build_cache(unseen, labels, cache / "unseen", **sizes, frames_per_clip=FEW_FRAMES_PER_CLIP)
    rendered = rendered_faces(*renderings, cache / "rendered") if renderings else None
    mirror = mirror_permutation(faces.points)
    torch.manual_seed(recipe.seed)
    net = Landmarker(LandmarkerConfig())
    if start:
        start_at_run(net, start)
    else:
        start_at_components(net, aligned_shapes(faces.points))

    def batches(first: int) -> Iterable[Any]:
        samples = FaceSamples(faces, mirror, net.config.size_pixels, recipe.seed + first, rendered=rendered)
        return DataLoader(samples, batch_size=recipe.batch, num_workers=1, prefetch_factor=4)

    def evaluate(average: nn.Module) -> str:
        error = errors(average, held_out)
        return f"clips {error[~held_out.portrait].mean():.4f} portraits {error[held_out.portrait].mean():.4f}"

    return fit(net, recipe, out, batches=batches, loss_of=loss_of, evaluate=evaluate)


def main(words: Sequence[str] | None = None) -> None:
    """Start as the words of a command line say."""
    parser = parser_of("landmarker", __doc__, "data", "labels", "cache", "out")
    parser.add_argument("--steps", type=int, default=RECIPE.steps)
    parser.add_argument("--batch", type=int, default=RECIPE.batch)
    parser.add_argument("--peak-rate", type=float, default=RECIPE.peak_rate)
    parser.add_argument("--renderings", type=Path, help="folder of `facepipe train renderings`")
    parser.add_argument("--renderings-labels", type=Path, help="what the labelling tool made of it")
    parser.add_argument("--start", type=Path, help="checkpoint of another run to start from")
    asked = parser.parse_args(words)
    if bool(asked.renderings) != bool(asked.renderings_labels):
        parser.error("--renderings and --renderings-labels go together: give both or neither.")
    train(
        asked.data,
        asked.labels,
        asked.cache,
        asked.out,
        Recipe(batch=asked.batch, steps=asked.steps, peak_rate=asked.peak_rate),
        renderings=(asked.renderings, asked.renderings_labels) if asked.renderings else None,
        start=asked.start,
    )


if __name__ == "__main__":
    main()
