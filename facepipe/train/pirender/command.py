"""Training of the neural renderer.

    facepipe train pirender --dataset DATASET --cache CACHE --out RUN [--network compact|official]

DATASET is the output of `facepipe dataset build`; its frames are unpacked into CACHE once. A run with RUN/checkpoint.pt
resumes from it; otherwise it starts with a new network, or with the network of a released file or of another run's
checkpoint (--begin-with FILE). RUN/samples and RUN/curves (TensorBoard) show the progress. `compact` trains the
embedded renderer. `official` trains the paper's network by the paper's recipe; it needs VGG-19 (facepipe weights add
vgg19 FILE) and a data set built with --space bfm; `facepipe weights add pirender RUN/checkpoint.pt` adds the result.
For several GPUs, or one process per core, start it with
`torchrun --nproc-per-node N -m facepipe.train.pirender.command` and the same options.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import torch
from lightning_fabric import Fabric

from facepipe import weights
from facepipe.checkpoint import load_network
from facepipe.face.model import load_face_model
from facepipe.models.landmarker import Landmarker, LandmarkerConfig
from facepipe.train.command import parser_of
from facepipe.train.pirender.compact import CompactTraining
from facepipe.train.pirender.frame_cache import FrameCache, build_frame_cache, clips_of, origin_of, size_of
from facepipe.train.pirender.loop import Recipe, Training, train
from facepipe.train.pirender.official import OfficialTraining, PaperRecipe, check_coefficients, open_vgg

# By network: images in total, batch size, and peak learning rate. For `official`, one image is a source/driving pair
# used in both directions: 8 M images are the paper's 400,000 steps of 20.
RECIPES = {"compact": (400_000, 8, 4e-4), "official": (8_000_000, 20, 1e-4)}


def frame_cache_of(fabric: Fabric, dataset: Path, cache: Path, *splits: str) -> FrameCache:
    """Return the frames of some splits of a data set; the first process unpacks them into a folder of CACHE once."""
    with fabric.rank_zero_first():
        return build_frame_cache(
            clips_of(dataset, *splits), cache / splits[0], size_of(dataset), origin_of(dataset, *splits)
        )


def fabric_of(network: str, precision: Any = "32-true", devices: int | None = None) -> Fabric:
    """Return the Fabric for all available devices, or for `devices` of them."""
    # The number of processes that torchrun started here; on a CPU, Lightning would use one.
    available = os.environ.get("LOCAL_WORLD_SIZE", "auto") if devices is None else devices
    options: dict[str, Any] = {"accelerator": "auto", "devices": available, "precision": precision}
    fabric = Fabric(**options)
    if network == "official" and fabric.world_size > 1:
        # In the first stage, which only warps, the editing network has no gradient to exchange.
        return Fabric(**options, strategy="ddp_find_unused_parameters_true")
    return fabric


def both_caches(args: argparse.Namespace, fabric: Fabric) -> tuple[FrameCache, FrameCache]:
    """Return the frames to train on, and those of held-out people."""
    return (
        frame_cache_of(fabric, args.dataset, args.cache, "train"),
        frame_cache_of(fabric, args.dataset, args.cache, "unseen", "test"),
    )


def official_of(args: argparse.Namespace, fabric: Fabric, options: dict[str, Any]) -> Training:
    """Return the training of the paper's network."""
    check_coefficients(args.dataset)
    loss = open_vgg()
    return OfficialTraining(PaperRecipe(**options), fabric, args.dataset, *both_caches(args, fabric), loss)


def compact_of(args: argparse.Namespace, fabric: Fabric, options: dict[str, Any]) -> Training:
    """Return the training of the embedded renderer."""
    cache, unseen = both_caches(args, fabric)
    model = load_face_model(weights.find("face-model").path)
    threads = torch.get_num_threads()
    landmarker = load_network(
        weights.find("landmarker").path, "landmarker", Landmarker, LandmarkerConfig, precision="fp32"
    )
    torch.set_num_threads(threads)
    join = int(options["images"] * 0.6) if args.adversarial_from is None else args.adversarial_from
    return CompactTraining(Recipe(**options, adversarial_from=join), fabric, cache, unseen, model, landmarker)


def training_of(args: argparse.Namespace, fabric: Fabric) -> Training:
    """Return the training of the network `args.network`."""
    images, batch, rate = RECIPES[args.network]
    options = {
        "images": args.images or images,
        "batch": args.batch or batch,
        "peak_rate": args.peak_rate or rate,
        "workers": args.workers,
    }
    return (official_of if args.network == "official" else compact_of)(args, fabric, options)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = parser_of("pirender", __doc__, "cache", "out")
    parser.add_argument("--dataset", type=Path, required=True, help="Output folder of `facepipe dataset build`.")
    parser.add_argument(
        "--network",
        choices=list(RECIPES),
        default="compact",
        help="Network: that of the embedded renderer, or the published one.",
    )
    parser.add_argument("--images", type=int, help="Number of training images in total.")
    parser.add_argument("--batch", type=int, help="Batch size on each device.")
    parser.add_argument("--peak-rate", type=float, help="Highest learning rate.")
    parser.add_argument(
        "--adversarial-from", type=int, help="Number of images after which the discriminator joins; 0 for never."
    )
    parser.add_argument(
        "--begin-with", type=Path, metavar="PATH", help="Checkpoint of another run, or a released file, to start from."
    )
    parser.add_argument("--precision", default="32-true", help="Precision of Lightning Fabric, e.g. bf16-mixed.")
    parser.add_argument("--workers", type=int, default=1, help="Processes that prepare the batches.")
    args = parser.parse_args(argv)
    # A worker process forked while OpenCV's threads exist waits for them forever.
    cv2.setNumThreads(1)
    fabric = fabric_of(args.network, args.precision)
    fabric.launch()
    training = training_of(args, fabric)
    if args.begin_with:
        training.run.start_at(args.begin_with)
    train(training, args.out, fabric)


if __name__ == "__main__":
    main()
