"""Training of the bi-layer networks.

    facepipe train bilayer --dataset DATASET --cache CACHE --out RUN
    facepipe train bilayer --person CLIP --out RUN

DATASET is the output of `facepipe dataset build`; its frames are unpacked into CACHE once, with their mattes. A run
with RUN/checkpoint.pt resumes from it; otherwise it starts with a new network, or with the network of a released file
or of another run's checkpoint (--begin-with FILE). RUN/samples and RUN/curves (TensorBoard) show the progress.

--person fine-tunes the released network for one person, within ten minutes on two cores, and writes
RUN/person.safetensors, which `facepipe weights add` registers.
"""

from __future__ import annotations

import argparse
import math
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
from facepipe.train.bilayer import person_command
from facepipe.train.bilayer.compact import CompactBilayerTraining
from facepipe.train.bilayer.mattes import build_mattes
from facepipe.train.bilayer.pairs import PAIRS_OF_A_SOURCE
from facepipe.train.command import FOLDERS, parser_of
from facepipe.train.pirender.command import both_caches, fabric_of
from facepipe.train.pirender.loop import Recipe, train

IMAGES, BATCH, RATE = 100_000, 8, 4e-4
SPLITS = ("train", "unseen")
"""Folders in CACHE, as `facepipe.train.pirender.command.both_caches` names them."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = parser_of("bilayer", __doc__, "out")
    parser.add_argument("--dataset", type=Path, metavar="PATH", help="Output folder of `facepipe dataset build`.")
    parser.add_argument("--cache", type=Path, metavar="PATH", help=FOLDERS["cache"])
    parser.add_argument("--images", type=int, help=f"Number of training images in total.  [default: {IMAGES}]")
    parser.add_argument("--batch", type=int, help=f"Batch size on each device, a multiple of 4.  [default: {BATCH}]")
    parser.add_argument("--peak-rate", type=float, help=f"Highest learning rate.  [default: {RATE}]")
    parser.add_argument(
        "--begin-with",
        metavar="PATH",
        help="Checkpoint of another run, a released file, or the name of a weight, to start from.",
    )
    person_command.add_arguments(parser)
    parser.add_argument("--precision", default="32-true", help="Precision of Lightning Fabric, e.g. bf16-mixed.")
    parser.add_argument("--workers", type=int, default=1, help="Processes that prepare the batches.")
    args = parser.parse_args(argv)
    for name in ("images", "batch", "peak_rate"):
        value = getattr(args, name)
        if value is not None and not 0 < value < math.inf:
            parser.error(f"--{name.replace('_', '-')} is {value}, expected a number above 0")
    if (args.batch or BATCH) % PAIRS_OF_A_SOURCE:
        parser.error(f"--batch is {args.batch}; the pairs of a source come in fours, so give a multiple of 4")
    person_command.check(args)
    if args.person:
        person_command.fine_tune(args)
        return
    # A worker process forked while OpenCV's threads exist waits for them forever.
    cv2.setNumThreads(1)
    fabric = fabric_of("compact", args.precision)
    fabric.launch()
    training = training_of(args, fabric)
    if args.begin_with:
        training.run.start_at(person_command.base_path(args.begin_with))
    train(training, args.out, fabric)


def training_of(args: argparse.Namespace, fabric: Fabric) -> CompactBilayerTraining:
    """Return the training of the compact network."""
    caches = both_caches(args, fabric)
    threads = torch.get_num_threads()
    with fabric.rank_zero_first():
        matting = Matting(weights.find("matting").path)
        mattes = [build_mattes(args.cache / split, cache, matting) for split, cache in zip(SPLITS, caches, strict=True)]
    landmarker = load_network(
        weights.find("landmarker").path, "landmarker", Landmarker, LandmarkerConfig, precision="fp32"
    )
    torch.set_num_threads(threads)
    recipe = Recipe(args.batch or BATCH, args.images or IMAGES, args.peak_rate or RATE, workers=args.workers)
    model = load_face_model(weights.find("face-model").path)
    return CompactBilayerTraining(recipe, fabric, caches, (mattes[0], mattes[1]), model, landmarker)


if __name__ == "__main__":
    main()
