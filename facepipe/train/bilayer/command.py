"""Training of the bi-layer networks.

    facepipe train bilayer --dataset DATASET --cache CACHE --out RUN [--network compact|published]
    facepipe train bilayer --person CLIP --out RUN

DATASET is the output of `facepipe dataset build`; its frames are unpacked into CACHE once, with their mattes. A run
with RUN/checkpoint.pt resumes from it; otherwise it starts with new networks, or with those of a released file
(compact only) or of another run's checkpoint (--begin-with FILE). RUN/samples and RUN/curves (TensorBoard) show the
progress. `compact` trains the embedded network. `published` trains the paper's networks by the paper's losses, on one
device, in two stages; it needs VGG-19 (facepipe weights add vgg19 FILE). --stage enhancer --begin-with
RUN/checkpoint.pt trains the texture enhancer on the networks of a finished run. `facepipe weights add bilayer RUN` adds
the result.

--person fine-tunes the released compact network for one person, within ten minutes on two cores, and writes
RUN/person.safetensors, which `facepipe weights add` registers.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import torch
from lightning_fabric import Fabric

from facepipe import weights
from facepipe.checkpoint import load_network
from facepipe.face.matte import Matting
from facepipe.face.model import load_face_model
from facepipe.models.landmarker import Landmarker, LandmarkerConfig
from facepipe.renderers.bilayer.config import BilayerConfig
from facepipe.renderers.bilayer.trained import read_trained
from facepipe.train.bilayer import person_command
from facepipe.train.bilayer.compact import CompactBilayerTraining
from facepipe.train.bilayer.mattes import Mattes, build_mattes
from facepipe.train.bilayer.pairs import PAIRS_OF_A_SOURCE
from facepipe.train.bilayer.perceptual import PerceptualLoss
from facepipe.train.bilayer.published import PublishedRecipe, PublishedTraining
from facepipe.train.bilayer.stages import STAGES
from facepipe.train.command import FOLDERS, TrainingParser, parser_of
from facepipe.train.pirender.command import both_caches, fabric_of
from facepipe.train.pirender.frame_cache import FrameCache
from facepipe.train.pirender.loop import Recipe, train
from facepipe.train.pirender.perceptual import open_vgg19

SPLITS = ("train", "unseen")
"""Folders in CACHE, as `facepipe.train.pirender.command.both_caches` names them."""
COMPACT = "compact"
# By network or stage: images in total, batch size, and peak learning rate. One image of a stage is a source and a
# target: the base was published after 2,225 epochs of 14,859 such pairs, the enhancer after 1,225.
RECIPES = {COMPACT: (100_000, 8, 4e-4), "base": (33_061_000, 40, 2e-4), "enhancer": (18_202_000, 40, 2e-4)}


BETAS = (0.9, 0.99)
"""Of the compact training, which has no discriminator."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = _parser()
    args = parser.parse_args(argv)
    _check(parser, args)
    if args.person:
        person_command.fine_tune(args)
        return
    # A worker process forked while OpenCV's threads exist waits for them forever.
    cv2.setNumThreads(1)
    fabric = fabric_of(args.network, args.precision, devices=None if args.network == COMPACT else 1)
    fabric.launch()
    if args.network == COMPACT:
        compact = compact_of(args, fabric)
        if args.begin_with:
            compact.run.start_at(person_command.base_path(args.begin_with))
        train(compact, args.out, fabric)
        return
    published = published_of(args, fabric)
    if args.begin_with:
        published.run.start_at(Path(args.begin_with))
    train(published, args.out, fabric)
    published.complete(args.out)


def _parser() -> TrainingParser:
    parser = parser_of("bilayer", __doc__, "out")
    parser.add_argument("--dataset", type=Path, metavar="PATH", help="Output folder of `facepipe dataset build`.")
    parser.add_argument("--cache", type=Path, metavar="PATH", help=FOLDERS["cache"])
    parser.add_argument(
        "--network",
        choices=[COMPACT, "published"],
        default=COMPACT,
        help="Network: that of the embedded renderer, or the published ones.",
    )
    parser.add_argument("--stage", choices=STAGES, help="Stage of the published training: base (default) or enhancer.")
    parser.add_argument(
        "--size", choices=[*BilayerConfig.SIZES], help="Size of the published networks (default: medium)."
    )
    parser.add_argument("--images", type=int, help="Number of training images in total.")
    parser.add_argument("--batch", type=int, help="Batch size on each device; for the compact network a multiple of 4.")
    parser.add_argument("--peak-rate", type=float, help="Highest learning rate.")
    parser.add_argument(
        "--begin-with",
        metavar="PATH",
        help="Checkpoint of another run, a released file, or the name of a weight, to start from.",
    )
    person_command.add_arguments(parser)
    parser.add_argument("--precision", default="32-true", help="Precision of Lightning Fabric, e.g. bf16-mixed.")
    parser.add_argument("--workers", type=int, default=1, help="Processes that prepare the batches.")
    return parser


def _check(parser: TrainingParser, args: argparse.Namespace) -> None:
    """Fill in the defaults of the network, and end the program with a message for options that do not fit it."""
    for name in ("images", "batch", "peak_rate"):
        value = getattr(args, name)
        if value is not None and not 0 < value < math.inf:
            parser.error(f"--{name.replace('_', '-')} is {value}, expected a number above 0")
    person_command.check(args)
    if args.person:
        if args.network != COMPACT:
            parser.error("--person fine-tunes the compact network; leave --network out")
        if (args.batch or PAIRS_OF_A_SOURCE) % PAIRS_OF_A_SOURCE:
            parser.error(f"--batch is {args.batch}; the pairs of a source come in fours, so give a multiple of 4")
        return
    if args.network == COMPACT:
        for option in ("stage", "size"):
            if getattr(args, option):
                parser.error(f"--{option} is an option of --network published; the compact network has one of each")
    args.stage = args.stage or "base"
    images, batch, rate = RECIPES[COMPACT if args.network == COMPACT else args.stage]
    args.images, args.batch = args.images or images, args.batch or batch
    args.peak_rate = args.peak_rate or rate
    if args.network == COMPACT:
        if args.batch % PAIRS_OF_A_SOURCE:
            parser.error(f"--batch is {args.batch}; the pairs of a source come in fours, so give a multiple of 4")
    elif int(os.environ.get("WORLD_SIZE", "1")) > 1:
        parser.error("--network published trains on one device: start it without torchrun")
    elif args.stage == "enhancer" and not (args.begin_with or (args.out / "checkpoint.pt").exists()):
        parser.error("--stage enhancer trains on finished networks: give --begin-with RUN/checkpoint.pt")


def mattes_of(args: argparse.Namespace, fabric: Fabric, caches: tuple[FrameCache, FrameCache]) -> tuple[Mattes, Mattes]:
    """Return the mattes of both caches; the first process computes them once."""
    threads = torch.get_num_threads()
    with fabric.rank_zero_first():
        matting = Matting(weights.find("matting").path)
        train, unseen = (
            build_mattes(args.cache / split, cache, matting) for split, cache in zip(SPLITS, caches, strict=True)
        )
    torch.set_num_threads(threads)
    return train, unseen


def compact_of(args: argparse.Namespace, fabric: Fabric) -> CompactBilayerTraining:
    """Return the training of the compact network."""
    caches = both_caches(args, fabric)
    mattes = mattes_of(args, fabric, caches)
    threads = torch.get_num_threads()
    landmarker = load_network(
        weights.find("landmarker").path, "landmarker", Landmarker, LandmarkerConfig, precision="fp32"
    )
    torch.set_num_threads(threads)
    recipe = Recipe(args.batch, args.images, args.peak_rate, betas=BETAS, workers=args.workers)
    model = load_face_model(weights.find("face-model").path)
    return CompactBilayerTraining(recipe, fabric, caches, mattes, model, landmarker)


def published_of(args: argparse.Namespace, fabric: Fabric) -> PublishedTraining:
    """Return the training of a stage of the published networks. What is missing is reported before the long work."""
    perceptual = PerceptualLoss(open_vgg19(average=True))
    config = config_of(args)
    caches = both_caches(args, fabric)
    recipe = PublishedRecipe(args.batch, args.images, args.peak_rate, workers=args.workers)
    mattes = mattes_of(args, fabric, caches)
    return PublishedTraining(recipe, fabric, caches, mattes, perceptual, config, args.stage)


def config_of(args: argparse.Namespace) -> BilayerConfig:
    """Return the config by --size; without it, that of the run that is resumed or begun with, else medium."""
    resumed = args.out / "checkpoint.pt"
    earlier = resumed if resumed.exists() else args.begin_with and Path(args.begin_with)
    if args.size or not earlier:
        return BilayerConfig.of(args.size or "medium")
    return read_trained(earlier).config


if __name__ == "__main__":
    main()
