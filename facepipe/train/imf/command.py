"""Training of implicit motion functions.

    facepipe train imf --dataset DATASET --cache CACHE --out RUN [--network compact|quarter|half|paper]

DATASET is the output of `facepipe dataset build`; its frames are unpacked into CACHE once. A run with RUN/checkpoint.pt
resumes from it, also with another number of images. Some people of the training data are kept out, for the figures and
pictures in RUN/samples and RUN/curves (TensorBoard). RUN/network.safetensors is the result, which
`facepipe weights add RUN/network.safetensors --name MINE` adds.

`compact` is the embedded network. The others are the published ones at three widths, trained by the paper's recipe with
VGG-19 if it is registered (facepipe weights add vgg19 FILE), else with the features of the landmarker.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import cv2
import torch
from lightning_fabric import Fabric

from facepipe import weights
from facepipe.checkpoint import load_network, save_network
from facepipe.face.model import load_face_model
from facepipe.models.landmarker import Landmarker, LandmarkerConfig
from facepipe.renderers.imf.config import ImfConfig, Size
from facepipe.train.command import parser_of
from facepipe.train.imf.compact import CompactRecipe, CompactTraining
from facepipe.train.imf.published import (
    Perceptual,
    PublishedRecipe,
    PublishedTraining,
    landmarker_features,
)
from facepipe.train.imf.tokens import TokenRecipe
from facepipe.train.pirender.command import fabric_of, frame_cache_of
from facepipe.train.pirender.frame_cache import FrameCache
from facepipe.train.pirender.loop import Training, train
from facepipe.train.pirender.perceptual import VggLoss, open_vgg19

PUBLISHED: tuple[Size, ...] = ("quarter", "half", "paper")
# Images in total, batch size and peak rate: of `compact`, and the paper's, whose number of images is not known.
COMPACT, PAPER = (90_000, 8, 1e-3), (12_800_000, 64, 2e-4)


def compact_of(args: argparse.Namespace, fabric: Fabric, cache: FrameCache, landmarker: Landmarker) -> CompactTraining:
    """Return the training of the compact network, at its beginning unless there is a checkpoint."""
    recipe = CompactRecipe(
        batch=args.batch or COMPACT[1],
        images=args.images or COMPACT[0],
        peak_rate=args.peak_rate or COMPACT[2],
        place_images=args.place_images,
        adversarial_from=args.adversarial_from,
        average=0.998,
        discriminator_ratio=args.discriminator_ratio,
        low_precision=args.precision == "bf16",
        one_clip_steps=args.one_clip_steps,
        evaluate_images=args.evaluate_images,
        checkpoint_minutes=3.0,
    )
    model = load_face_model(weights.find("face-model").path)
    training = CompactTraining(recipe, fabric, cache, model, landmarker, held_out=args.held_out)
    if not args.begin_with and not (args.out / "checkpoint.pt").exists():
        training.begin(landmarker, TokenRecipe(images=args.token_images))
    return training


def published_of(
    args: argparse.Namespace, fabric: Fabric, cache: FrameCache, landmarker: Landmarker
) -> PublishedTraining:
    """Return the training of the published networks."""
    recipe = PublishedRecipe(
        batch=args.batch or PAPER[1],
        images=args.images or PAPER[0],
        peak_rate=args.peak_rate or PAPER[2],
        adversarial_from=args.adversarial_from,
        discriminator_ratio=args.discriminator_ratio,
        evaluate_images=args.evaluate_images,
    )
    return PublishedTraining(
        ImfConfig.of(args.network), recipe, fabric, cache, perceptual_of(landmarker, fabric), args.held_out
    )


def perceptual_of(landmarker: Landmarker, fabric: Fabric) -> Perceptual:
    """Return the distance by VGG-19 if it is registered, else by the landmarker's features."""
    if "vgg19" not in weights.registered():
        return landmarker_features(landmarker, fabric.device)
    loss = VggLoss(open_vgg19()).to(fabric.device)
    return lambda made, truth, _points: loss.content(made, truth)


def training_of(args: argparse.Namespace, fabric: Fabric) -> Training:
    """Return the training of `args.network`."""
    threads = torch.get_num_threads()
    cache = frame_cache_of(fabric, args.dataset, args.cache, "train")
    landmarker = load_network(
        weights.find("landmarker").path, "landmarker", Landmarker, LandmarkerConfig, precision="fp32"
    )
    torch.set_num_threads(threads)
    training = (compact_of if args.network == "compact" else published_of)(args, fabric, cache, landmarker)
    if args.begin_with:
        training.run.start_at(args.begin_with)
    return training


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = parser_of("imf", __doc__, "cache", "out")
    parser.add_argument("--dataset", type=Path, required=True, help="Output folder of `facepipe dataset build`.")
    parser.add_argument("--network", choices=["compact", *PUBLISHED], default="compact", help="Network to train.")
    parser.add_argument("--images", type=int, help="Number of training images in total.")
    parser.add_argument(
        "--token-images", type=int, default=60_000, help="Images of the training of E_T, which comes before `compact`."
    )
    parser.add_argument(
        "--place-images", type=int, default=45_000, help="Images of the first stage of `compact`, which only warps."
    )
    parser.add_argument("--batch", type=int, help="Batch size; for `compact`, two images for each couple of frames.")
    parser.add_argument("--peak-rate", type=float, help="Highest learning rate.")
    parser.add_argument(
        "--adversarial-from", type=int, default=0, help="Images after which the discriminator joins; 0 for never."
    )
    parser.add_argument(
        "--discriminator-ratio", type=float, default=0.5, help="The discriminator's learning rate over the network's."
    )
    parser.add_argument(
        "--begin-with", type=Path, metavar="PATH", help="Checkpoint of another run, or a released file, to start from."
    )
    parser.add_argument(
        "--precision", choices=["bf16", "fp32"], default="bf16", help="Precision of the convolutions of `compact`."
    )
    parser.add_argument("--one-clip-steps", type=int, default=1, help="Steps with a batch of `compact`.")
    parser.add_argument("--held-out", type=int, default=12, help="People kept for validation.")
    parser.add_argument("--evaluate-images", type=int, default=8000, help="Images between two validations.")
    args = parser.parse_args(argv)
    # OpenCV's threads and torch's would wait for each other.
    cv2.setNumThreads(1)
    fabric = fabric_of("compact", "32-true", 1)
    fabric.launch()
    training = training_of(args, fabric)
    train(training, args.out, fabric)
    kind = "imf-compact" if args.network == "compact" else "imf"
    save_network(deepcopy(training.run.mean.module), args.out / "network.safetensors", kind=kind)


if __name__ == "__main__":
    main()
