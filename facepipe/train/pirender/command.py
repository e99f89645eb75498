"""Training of the renderer.

    facepipe train pirender --dataset DATASET --cache CACHE --out RUN [--network compact|official]

DATASET is what `facepipe dataset build` made; its frames are unpacked into CACHE once. The run goes on from
RUN/checkpoint.pt when it is there, and else begins anew, or with the network of a released file or of another run's
checkpoint (--begin-with FILE). RUN/samples and RUN/curves (TensorBoard) show how it does. `compact` is the embedded
renderer, `official` the paper's training of the paper's size, which needs VGG-19 (facepipe weights add vgg19 FILE) and
a data set built with --space bfm; its network comes in by `facepipe weights add pirender RUN/checkpoint.pt`.
With several GPUs, or a process a core, start it by `torchrun --nproc-per-node N -m facepipe.train.pirender.command` and
the same words.
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
from facepipe.train.pirender.heads import Heads, build_heads, clips_of, origin_of, size_of
from facepipe.train.pirender.loop import Recipe, Training, train
from facepipe.train.pirender.official import OfficialTraining, PaperRecipe, check_coefficients, open_vgg

# By network: images in all, images at once, and the highest learning rate. Of the published one an image is a pair,
# used both ways, and they make the paper's 400,000 steps.
RECIPES = {"compact": (400_000, 8, 4e-4), "official": (8_000_000, 20, 1e-4)}


def heads_of(fabric: Fabric, dataset: Path, cache: Path, *splits: str) -> Heads:
    """Return the frames of some splits of a data set, unpacked into a folder of CACHE once, by the first process."""
    with fabric.rank_zero_first():
        return build_heads(clips_of(dataset, *splits), cache / splits[0], size_of(dataset), origin_of(dataset, *splits))


def fabric_of(network: str, precision: Any = "32-true") -> Fabric:
    """Return what a network is trained by, on all devices that there are."""
    # As many processes as torchrun has started here; on a CPU Lightning would take one.
    words = {"accelerator": "auto", "devices": os.environ.get("LOCAL_WORLD_SIZE", "auto"), "precision": precision}
    fabric = Fabric(**words)
    if network == "official" and fabric.world_size > 1:
        # As long as it only warps, its editing network has no gradient to exchange.
        return Fabric(**words, strategy="ddp_find_unused_parameters_true")
    return fabric


def both_heads(asked: argparse.Namespace, fabric: Fabric) -> tuple[Heads, Heads]:
    """Return the people to learn from, and those to judge by."""
    return (
        heads_of(fabric, asked.dataset, asked.cache, "train"),
        heads_of(fabric, asked.dataset, asked.cache, "unseen", "test"),
    )


def official_of(asked: argparse.Namespace, fabric: Fabric, words: dict[str, Any]) -> Training:
    """Return the paper's training."""
    check_coefficients(asked.dataset)
    loss = open_vgg()
    return OfficialTraining(PaperRecipe(**words), fabric, asked.dataset, *both_heads(asked, fabric), loss)


def compact_of(asked: argparse.Namespace, fabric: Fabric, words: dict[str, Any]) -> Training:
    """Return the training of the embedded renderer."""
    heads, unseen = both_heads(asked, fabric)
    model = load_face_model(weights.find("face-model").path)
    threads = torch.get_num_threads()
    landmarker = load_network(
        weights.find("landmarker").path, "landmarker", Landmarker, LandmarkerConfig, precision="fp32"
    )
    torch.set_num_threads(threads)
    join = int(words["images"] * 0.6) if asked.adversarial_from is None else asked.adversarial_from
    return CompactTraining(Recipe(**words, adversarial_from=join), fabric, heads, unseen, model, landmarker)


def training_of(asked: argparse.Namespace, fabric: Fabric) -> Training:
    """Return the training that is asked for."""
    images, batch, rate = RECIPES[asked.network]
    words = {
        "images": asked.images or images,
        "batch": asked.batch or batch,
        "peak_rate": asked.peak_rate or rate,
        "workers": asked.workers,
    }
    return (official_of if asked.network == "official" else compact_of)(asked, fabric, words)


def main(words: Sequence[str] | None = None) -> None:
    """Start as the words of a command line say."""
    parser = parser_of("pirender", __doc__, "cache", "out")
    parser.add_argument("--dataset", type=Path, required=True, help="what `facepipe dataset build` made")
    parser.add_argument("--network", choices=list(RECIPES), default="compact")
    parser.add_argument("--images", type=int, help="how many to train on in all")
    parser.add_argument("--batch", type=int, help="images at once on each device")
    parser.add_argument("--peak-rate", type=float)
    parser.add_argument("--adversarial-from", type=int, help="images after which the discriminator joins; 0 for never")
    parser.add_argument("--begin-with", type=Path, help="checkpoint of another run, or a released file, to start from")
    parser.add_argument("--precision", default="32-true", help="of Lightning Fabric, e.g. bf16-mixed")
    parser.add_argument("--workers", type=int, default=1, help="processes that prepare the batches")
    asked = parser.parse_args(words)
    # A worker forked while OpenCV's threads are about waits for them for ever.
    cv2.setNumThreads(1)
    fabric = fabric_of(asked.network, asked.precision)
    fabric.launch()
    training = training_of(asked, fabric)
    if asked.begin_with:
        training.run.start_at(asked.begin_with)
    train(training, asked.out, fabric)


if __name__ == "__main__":
    main()
