"""The command `facepipe train bilayer --person`: from a clip of a person to a weight file of their own."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

import cv2
import torch
from lightning_fabric import Fabric

from facepipe import weights
from facepipe.checkpoint import load_network
from facepipe.config import load_settings
from facepipe.errors import UsageError, WeightsError
from facepipe.face.detector import Detector
from facepipe.face.landmarker import Landmarker as FaceLandmarker
from facepipe.face.matte import Matting
from facepipe.face.model import FaceModel, load_face_model
from facepipe.face.rule import is_rule
from facepipe.media.limits import MediaLimits
from facepipe.models.landmarker import Landmarker, LandmarkerConfig
from facepipe.pipeline.precheck import find_weights, inspect
from facepipe.renderers.bilayer.compact.net import CompactBilayerNet
from facepipe.train.bilayer.mattes import build_mattes
from facepipe.train.bilayer.pairs import PAIRS_OF_A_SOURCE
from facepipe.train.bilayer.person import FIGURE, Person, PersonTraining, base_net
from facepipe.train.bilayer.person_frames import PersonFrames, parts_of
from facepipe.train.pirender.command import fabric_of
from facepipe.train.pirender.loop import Recipe, train

BASE = "bilayer-compact"
IMAGES, IMAGES_OF_A_FRAME, RATE = 4000, 40, 1e-4
"""Defaults. IMAGES_OF_A_FRAME limits the images for few frames, which the network would learn by heart."""
SECONDS, MINUTES = 20.0, 10.0
WEIGHT, FRAMES = "person.safetensors", "frames"
NEEDED = ("detector", "landmarker", "face-model", "matting")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that only fine-tuning has."""
    group = parser.add_argument_group("Fine-tuning for one person")
    group.add_argument(
        "--person",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="A clip of one person, or at least two pictures; takes the place of --dataset and --cache.",
    )
    group.add_argument(
        "--seconds",
        type=float,
        help=f"Length of the part of the clip that is used, from 0 s on.  [default: {SECONDS:g}]",
    )
    group.add_argument(
        "--minutes", type=float, help=f"Time after which the training ends with a checkpoint.  [default: {MINUTES:g}]"
    )
    group.add_argument("--face", help="Face in the clip: largest, left, right, or a number from 1.  [default: largest]")


def check(args: argparse.Namespace) -> None:
    """Raise UsageError for options that do not fit each other, or for values out of range."""
    alone = {"--seconds": args.seconds, "--minutes": args.minutes, "--face": args.face}
    if not args.person:
        if given := [name for name, value in alone.items() if value is not None]:
            raise UsageError(f"{given[0]} needs --person; give a clip of the person, or leave the option out")
        if not (args.dataset and args.cache):
            raise UsageError("expected --dataset and --cache, or --person with a clip of one person")
        return
    if args.dataset or args.cache:
        raise UsageError("--person trains on its clip alone; leave --dataset and --cache out")
    for name in ("--seconds", "--minutes"):
        if alone[name] is not None and not 0 < alone[name] < float("inf"):
            raise UsageError(f"{name} is {alone[name]:g}, expected a number above 0")
    if args.face is not None and not is_rule(args.face):
        raise UsageError(f"--face is {args.face!r}, expected largest, left, right, or a number from 1 from the left")


def fine_tune(args: argparse.Namespace) -> None:
    """Fine-tune the network for the person of `args.person`, and print how the weight is used."""
    base = base_path(args.begin_with)
    files = find_weights(*NEEDED)
    # A worker process forked while OpenCV's threads exist waits for them forever.
    cv2.setNumThreads(1)
    threads = torch.get_num_threads()
    net = base_net(base)
    person = person_of(args, {name: file.path for name, file in files.items()}, net.config.side_pixels)
    judge = load_network(files["landmarker"].path, "landmarker", Landmarker, LandmarkerConfig, precision="fp32")
    torch.set_num_threads(threads)
    fabric = fabric_of("compact", args.precision)
    fabric.launch()
    training = training_of(args, fabric, person, judge, net, load_face_model(files["face-model"].path))
    print(f"before: {figures(training.before)}", flush=True)
    train(training, args.out, fabric)
    print(summary(training, base), flush=True)


def base_path(given: str | None) -> Path:
    """Return the file of the network to start from: a path, or the name of a registered weight."""
    if given and Path(given).is_file():
        return Path(given)
    name = given or BASE
    if name not in weights.registered():
        raise WeightsError(
            f"{name} is neither a file nor a registered weight. Give the file of a compact bi-layer network, or the "
            "checkpoint of a run, with --begin-with."
        )
    return weights.find(name).path


def person_of(args: argparse.Namespace, files: dict[str, Path], side_pixels: int) -> Person:
    """Return the frames of the person with their mattes, which are written to OUT/frames once."""
    media = load_settings().media
    frames = PersonFrames(
        Detector(files["detector"]),
        FaceLandmarker(files["landmarker"]),
        load_face_model(files["face-model"]),
        side_pixels,
        args.seconds or SECONDS,
        args.face or "largest",
        MediaLimits(media.max_pixels, media.max_duration_seconds),
        lambda text: print(f"note: {text}", flush=True),
    )
    folder = args.out / FRAMES
    cache = frames.cache(args.person, folder)
    mattes = build_mattes(folder, cache, Matting(files["matting"]))
    still = inspect(args.person[0], frames.limits).kind == "image"
    return Person(cache, mattes, *parts_of(cache, still=still))


def training_of(
    args: argparse.Namespace,
    fabric: Fabric,
    person: Person,
    judge: Landmarker,
    net: CompactBilayerNet,
    model: FaceModel,
) -> PersonTraining:
    """Return the training, for as many images as the options say or the number of frames suggests."""
    images = args.images or min(IMAGES, IMAGES_OF_A_FRAME * len(person.seen))
    recipe = Recipe(
        args.batch or PAIRS_OF_A_SOURCE,
        images,
        args.peak_rate or RATE,
        warm_up_images=min(200, images),
        average=0.99,
        workers=args.workers,
        report_images=200,
        checkpoint_minutes=1,
        minutes=args.minutes or MINUTES,
        evaluate_images=800,
    )
    return PersonTraining(recipe, fabric, person, model, judge, net, args.out / WEIGHT)


def figures(found: dict[str, float]) -> str:
    """Return figures of `metrics` as text."""
    return ", ".join(f"{name} {value:.3f}" for name, value in found.items())


def summary(training: PersonTraining, base: Path) -> str:
    """Return the lines that end the run: what was reached, and the commands that use the weight."""
    held_out = len(training.person.held_out) > 0
    where = "held-out frames" if held_out else "its own frames, because there are too few to hold out"
    before, best, mesh = training.before[FIGURE], training.best[FIGURE], training.before["psnr prior"]
    lines = [
        f"{training.weight}: PSNR of the head on {where}: {best:.2f} dB, before {before:.2f} dB, mesh {mesh:.2f} dB"
    ]
    if held_out and best <= before:
        lines.append(f"No moment of the training was better than {base}; the weight is a copy of it.")
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", training.weight.absolute().parent.name).strip("-._") or "person"
    file = shlex.quote(str(training.weight))
    lines += [
        "To use it:",
        f"facepipe weights add {file} --name {name}",
        f"facepipe reenact SOURCE DRIVER --renderer bilayer --weights {name} -o OUT.mp4",
    ]
    return "\n".join(lines)
