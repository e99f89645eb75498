"""Training of the compact implicit motion network.

    facepipe train imf --dataset DATASET --cache CACHE --out RUN

DATASET is the output of `facepipe dataset build`; its frames are unpacked into CACHE once. A run with RUN/checkpoint.pt
resumes from it, also with another number of images: the learning rate depends only on how many are left. Twelve people
of the training data are kept for the figures, which appear with pictures in RUN/samples and RUN/curves (TensorBoard).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from lightning_fabric import Fabric

from facepipe import weights
from facepipe.checkpoint import load_network
from facepipe.face.model import load_face_model
from facepipe.models.landmarker import Landmarker, LandmarkerConfig
from facepipe.renderers.imf.compact.net import ImfCompact
from facepipe.train.command import parser_of
from facepipe.train.imf.beginning import FRAMES, begin_with_landmarker
from facepipe.train.imf.compact import CompactRecipe, CompactTraining
from facepipe.train.imf.heads import Heads
from facepipe.train.pirender.command import fabric_of, frame_cache_of
from facepipe.train.pirender.loop import train


def begin(training: CompactTraining, landmarker: Landmarker) -> None:
    """Give E_T the landmarker's features and the token the principal components of the landmarks."""
    cache, random = training.cache, np.random.default_rng(training.recipe.seed)
    rows = np.concatenate([np.arange(cache.clip(clip).start, cache.clip(clip).stop) for clip in training.clips])
    rows = rows[cache.valid[rows]]
    chosen = np.sort(random.choice(rows, min(FRAMES, len(rows)), replace=False))
    net, heads = training.run.net, training.run.heads
    assert isinstance(net, ImfCompact)
    assert isinstance(heads, Heads)
    error = begin_with_landmarker(
        net, heads, landmarker, np.array(cache.frames[chosen]), np.array(cache.points[chosen])
    )
    training.run.mean.module.load_state_dict(net.state_dict())
    print(f"tokens tell landmarks within {error:.2f} pixels", flush=True)


def training_of(args: argparse.Namespace, fabric: Fabric) -> CompactTraining:
    """Return the training, at its beginning unless there is a checkpoint."""
    threads = torch.get_num_threads()
    cache = frame_cache_of(fabric, args.dataset, args.cache, "train")
    model = load_face_model(weights.find("face-model").path)
    landmarker = load_network(
        weights.find("landmarker").path, "landmarker", Landmarker, LandmarkerConfig, precision="fp32"
    )
    torch.set_num_threads(threads)
    recipe = CompactRecipe(
        batch=args.batch,
        images=args.images,
        peak_rate=args.peak_rate,
        place_images=args.place_images,
        adversarial_from=args.adversarial_from,
        average=0.998,
        discriminator_ratio=args.discriminator_ratio,
        low_precision=args.precision == "bf16",
        one_clip_steps=args.one_clip_steps,
        evaluate_images=args.evaluate_images,
        checkpoint_minutes=3.0,
    )
    training = CompactTraining(recipe, fabric, cache, model, landmarker, held_out=args.held_out)
    if args.begin_with:
        training.run.start_at(args.begin_with)
    elif not (args.out / "checkpoint.pt").exists():
        begin(training, landmarker)
    return training


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = parser_of("imf", __doc__, "cache", "out")
    parser.add_argument("--dataset", type=Path, required=True, help="Output folder of `facepipe dataset build`.")
    parser.add_argument("--images", type=int, default=90_000, help="Number of training images in total.")
    parser.add_argument("--place-images", type=int, default=45_000, help="Images of the first stage, which only warps.")
    parser.add_argument("--batch", type=int, default=8, help="Batch size, two images for each couple of frames.")
    parser.add_argument("--peak-rate", type=float, default=1e-3, help="Highest learning rate.")
    parser.add_argument(
        "--adversarial-from", type=int, default=0, help="Images after which the discriminator joins; 0 for never."
    )
    parser.add_argument(
        "--discriminator-ratio", type=float, default=0.5, help="The discriminator's learning rate over the network's."
    )
    parser.add_argument(
        "--begin-with", type=Path, metavar="PATH", help="Checkpoint of another run, or a released file."
    )
    parser.add_argument("--precision", choices=["bf16", "fp32"], default="bf16", help="Precision of the convolutions.")
    parser.add_argument("--one-clip-steps", type=int, default=1, help="Steps with one batch before the next one.")
    parser.add_argument("--held-out", type=int, default=12, help="People kept for validation.")
    parser.add_argument("--evaluate-images", type=int, default=8000, help="Images between two validations.")
    args = parser.parse_args(argv)
    cv2.setNumThreads(1)
    fabric = fabric_of("compact", "32-true", 1)
    fabric.launch()
    train(training_of(args, fabric), args.out, fabric)


if __name__ == "__main__":
    main()
