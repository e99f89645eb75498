"""Training of the landmarker on reference points.

    facepipe train landmarker --data DATA --labels LABELS --cache CACHE --out RUN
        [--renderings RENDERINGS --renderings-labels LABELS] [--begin-with OTHER-RUN/checkpoint.pt|FILE.safetensors]

RENDERINGS is the output of `facepipe train renderings`, labelled as DATA is; its crops are cached beside the others.
--begin-with starts from the averaged network of another run, or from a released file, instead of a new network. A run
with RUN/checkpoint.pt resumes from it.
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
from torch.nn import functional
from torch.utils.data import DataLoader

from facepipe.checkpoint import load_network
from facepipe.dataset.split import Item, split_items
from facepipe.device import compute_dtype
from facepipe.face.cropping import aligned_crop, outer_eye_distance, sample
from facepipe.face.mirror import aligned_shapes, mirror_permutation
from facepipe.models.blocks import unfold_norms
from facepipe.models.landmarker import Landmarker, LandmarkerConfig
from facepipe.train.command import parser_of
from facepipe.train.crops import FaceSamples
from facepipe.train.faces import FaceCache, build_cache
from facepipe.train.loop import Recipe, fit, network_state, to_network
from facepipe.train.points import point_loss

CACHE_RATIO, CACHE_PIXELS, FEW_FRAMES_PER_CLIP = 2.2, 288, 24
RECIPE = Recipe(batch=48, steps=6400, peak_rate=2e-3)


def face_loss(points: Tensor, logit: Tensor, truth: Tensor, face: Tensor) -> Tensor:
    """Return the point error of the crops with a face, plus the loss of the face score."""
    score = functional.binary_cross_entropy_with_logits(logit, face)
    total: Tensor = (point_loss(points, truth) * face).sum() / face.sum().clamp_min(1) + 0.05 * score
    return total


def loss_of(net: Landmarker, batch: Any) -> Tensor:
    """Return the loss of a batch of samples."""
    pictures, truth, face = batch
    # The last layers must resolve a thousandth of the crop, which bfloat16 cannot.
    with torch.autocast("cpu", torch.bfloat16, enabled=compute_dtype() == torch.bfloat16):
        features = net.features(to_network(pictures))
    found = net.read(features)
    return face_loss(found.points, found.face_logit, truth, face.float())


def start_at_components(net: Landmarker, shapes: NDArray[np.float32]) -> None:
    """Initialise the last layer with the mean and the principal components of the aligned shapes."""
    flat = torch.from_numpy(shapes.reshape(len(shapes), -1))
    mean = flat.mean(0)
    _, strengths, directions = torch.linalg.svd(flat - mean, full_matrices=False)
    count = min(net.config.code, len(strengths))
    with torch.no_grad():
        net.shape.bias.copy_(mean)
        net.shape.weight.zero_()
        net.shape.weight[:, :count] = (directions[:count] * strengths[:count, None] / len(flat) ** 0.5).T


def errors(net: nn.Module, cache: FaceCache) -> NDArray[np.floating]:
    """Return each face's mean point error over the outer-eye distance, with crops from the true points."""
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


def resized(weight: Tensor, cells: int, wanted: int) -> Tensor:
    """Return the weight of a layer over (C, cells, cells) features, resampled to `wanted` cells per side."""
    planes = weight.view(len(weight), -1, cells, cells)
    spread = functional.interpolate(planes, size=(wanted, wanted), mode="bilinear") * (cells / wanted) ** 2
    return spread.flatten(1)


def start_at_file(net: Landmarker, weight: Path, pictures: Tensor) -> None:
    """Load a released landmarker with another crop size; norms get their statistics from (B, 3, S, S) pictures."""
    small = load_network(weight, "landmarker", Landmarker, LandmarkerConfig, precision="fp32", threads=0)
    state = small.state_dict()
    state["encode.1.weight"] = resized(state["encode.1.weight"], small.cells, net.cells)
    unfold_norms(net, state, to_network(pictures))


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
    """Train and return the averaged network; `renderings` are the folder of rendered clips and that of their labels."""
    # A worker process forked while OpenCV's threads exist waits for them forever.
    cv2.setNumThreads(1)
    seen, unseen = split_items(data)
    sizes: dict[str, Any] = {"ratio": CACHE_RATIO, "size_pixels": CACHE_PIXELS}
    faces = build_cache(seen, labels, cache / "train", **sizes)
    held_out = build_cache(unseen, labels, cache / "unseen", **sizes, frames_per_clip=FEW_FRAMES_PER_CLIP)
    rendered = rendered_faces(*renderings, cache / "rendered") if renderings else None
    mirror = mirror_permutation(faces.points)
    torch.manual_seed(recipe.seed)
    net = Landmarker(LandmarkerConfig())

    def batches(first: int) -> Iterable[Any]:
        samples = FaceSamples(faces, mirror, net.config.size_pixels, recipe.seed + first, rendered=rendered)
        return DataLoader(samples, batch_size=recipe.batch, num_workers=1, prefetch_factor=4)

    if start and start.suffix == ".safetensors":
        start_at_file(net, start, torch.cat([next(iter(batches(-1)))[0] for _ in range(4)]))
    elif start:
        net.load_state_dict(network_state(start))
    else:
        start_at_components(net, aligned_shapes(faces.points))

    def evaluate(average: nn.Module) -> str:
        error = errors(average, held_out)
        return f"clips {error[~held_out.portrait].mean():.4f} portraits {error[held_out.portrait].mean():.4f}"

    return fit(net, recipe, out, batches=batches, loss_of=loss_of, evaluate=evaluate)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = parser_of("landmarker", __doc__, "data", "labels", "cache", "out")
    parser.add_argument("--steps", type=int, default=RECIPE.steps, help="Number of training steps.", metavar="N")
    parser.add_argument("--batch", type=int, default=RECIPE.batch, help="Faces in a batch.", metavar="N")
    parser.add_argument(
        "--peak-rate", type=float, default=RECIPE.peak_rate, help="Highest learning rate.", metavar="NUMBER"
    )
    parser.add_argument("--renderings", type=Path, metavar="PATH", help="Output folder of `facepipe train renderings`.")
    parser.add_argument("--renderings-labels", type=Path, metavar="PATH", help="Folder of the labels of these clips.")
    parser.add_argument(
        "--begin-with", type=Path, metavar="PATH", help="Checkpoint of another run, or a released file, to start from."
    )
    args = parser.parse_args(argv)
    if bool(args.renderings) != bool(args.renderings_labels):
        parser.error("--renderings and --renderings-labels go together: give both or neither.")
    train(
        args.data,
        args.labels,
        args.cache,
        args.out,
        Recipe(batch=args.batch, steps=args.steps, peak_rate=args.peak_rate),
        renderings=(args.renderings, args.renderings_labels) if args.renderings else None,
        start=args.begin_with,
    )


if __name__ == "__main__":
    main()
