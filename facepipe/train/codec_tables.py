"""Fitting of the table with which `.fpv` streams code tokens.

    facepipe train codec-tables --dataset DATASET --out FILE [--tokens TOKENS]

DATASET is the output of `facepipe dataset build`. Its coefficients of seen people are smoothed as `facepipe
coefficients` does, and one unit of a component is 1 % of the eye distance, the root mean square over the points of the
face model. TOKENS is an .npz with the tokens of an IMF network instead, by `facepipe train codec-tokens`: arrays
seen/NAME and unseen/NAME of (T, D), one per clip, and optionally `metric` of (D, D), in which a unit is measured. The
figures that are printed are those of unseen people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from facepipe import weights
from facepipe.codec.coefficients import tokens_of
from facepipe.codec.fitting import SPAN_FRAMES, fit_table
from facepipe.codec.table import KIND, MAX_COMPONENTS, SCALE_COUNT, TokenTable
from facepipe.codec.tokens import TokenCodec
from facepipe.dataset.listing import path_of, read_list
from facepipe.errors import InputError
from facepipe.face.model import FaceModel, load_face_model
from facepipe.face.pose import rotation_of
from facepipe.spaces.coefficients import Coefficients
from facepipe.spaces.files import load_coefficients
from facepipe.spaces.smoothing import smoothed
from facepipe.train.command import parser_of
from facepipe.weights.saving import save_tensors

Floats = NDArray[np.floating]
COMPONENTS = 28
SHORTEST_FRAMES = 25
POSES_PER_CLIP = 3
PERCENT = 100
# Every so many frames of unseen people is coded for the figures.
CODED_EVERY = 4


def read_clips(dataset: Path, split: str) -> list[Coefficients]:
    """Return the smoothed coefficients of the stretches without cut or gap, at least 1 s long."""
    clips = []
    for entry in read_list(dataset, split):
        whole = smoothed(load_coefficients(path_of(dataset, entry.id, "coefficients")), "savitzky-golay")
        breaks = np.flatnonzero(np.diff(whole.shot) | ~whole.valid[1:] | ~whole.valid[:-1]) + 1
        for rows in np.split(np.arange(len(whole)), breaks):
            if len(rows) >= SHORTEST_FRAMES and whole.valid[rows].all():
                clips.append(whole.taken(rows))
    return clips


def movement(tokens: Floats, identity: Floats, model: FaceModel) -> Floats:
    """Return the (70, 478, 2) movement of the points in the picture by each of (70,) tokens, in eye distances."""
    shape = model.shape(identity, tokens[None, :64])[0]
    turned = rotation_of(tokens[None, 64:67])[0]
    moved = np.zeros((len(tokens), *shape.shape))
    moved[:64] = model.expression @ turned.T
    for axis in range(3):
        nudge = 1e-5 * np.eye(3)[axis]
        ahead, behind = (rotation_of(tokens[None, 64:67] + sign * nudge)[0] for sign in (1, -1))
        moved[64 + axis] = shape @ (ahead - behind).T / 2e-5
        if axis < 2:
            moved[67 + axis, :, axis] = np.exp(-tokens[69])
    moved[69] = shape @ turned.T
    return moved[..., :2]


def metric_of(clips: Sequence[Coefficients], model: FaceModel, point_weights: Floats) -> Floats:
    """Return the (70, 70) metric G: d G d is the mean squared movement of the points by d, in % of the eye distance."""
    metric, share = np.zeros((70, 70)), np.sqrt(point_weights / point_weights.sum())
    for clip in clips:
        for row in np.linspace(0, len(clip) - 1, POSES_PER_CLIP).astype(int):
            moved = movement(tokens_of(clip)[row].astype(np.float64), clip.identity, model) * share[:, None]
            flat = PERCENT * moved.reshape(70, -1)
            metric += flat @ flat.T
    return metric / (POSES_PER_CLIP * len(clips))


@dataclass(frozen=True)
class Figures:
    """What one scale costs and loses."""

    bits: float
    """Mean bits of a packet, whole bytes."""
    entropy: float
    """Sum of the empirical entropies of the components' quantised numbers, in bits."""
    errors: tuple[float, ...]
    """Mean error in units of each metric."""
    reference_bytes: float


def figures_of(table: TokenTable, scale: int, clips: Sequence[Floats], metrics: Sequence[Floats]) -> Figures:
    """Code every fourth frame of clips of (T, D) tokens with a key frame every 4 s."""
    codec = TokenCodec(table, scale)
    packets, numbers, errors, references = [], [], [], []
    for clip in clips:
        for first in range(0, len(clip), SPAN_FRAMES):
            reference = codec.reference(clip[first])
            references.append(len(reference.packet))
            for row in clip[first + 1 : first + SPAN_FRAMES : CODED_EVERY]:
                packet = codec.packet(row - clip[first], reference)
                error = codec.difference(packet, reference) - (row - clip[first])
                packets.append(8 * len(packet))
                numbers.append(codec.numbers(packet, reference))
                errors.append([np.sqrt(error @ metric @ error) for metric in metrics])
    entropy = sum(entropy_of(column) for column in np.array(numbers).T)
    return Figures(float(np.mean(packets)), entropy, tuple(np.mean(errors, axis=0)), float(np.mean(references)))


def entropy_of(numbers: NDArray[np.integer]) -> float:
    """Return the empirical entropy of (N,) integers in bits."""
    share = np.unique(numbers, return_counts=True)[1] / len(numbers)
    return float(-(share * np.log2(share)).sum())


def save_table(table: TokenTable, out: Path) -> None:
    """Write a table as safetensors: the transform as float32, the rest as integers."""
    tensors = {}
    for field in fields(table)[1:]:
        array = getattr(table, field.name)
        kind = np.float32 if array.dtype.kind == "f" else np.int32
        tensors[field.name] = torch.from_numpy(np.ascontiguousarray(array.astype(kind)))
    out.parent.mkdir(parents=True, exist_ok=True)
    save_tensors(tensors, out, {"kind": KIND, "tokens": table.kind})


def report(table: TokenTable, clips: Sequence[Floats], metrics: Sequence[Floats], names: str) -> None:
    """Print the figures of every scale."""
    print(f"table {table.digest.hex()}, {table.components} components")
    print(f"scale, step, bits, entropy, their ratio, {names}, bytes of a key frame's tokens", flush=True)
    for scale in range(SCALE_COUNT):
        one = figures_of(table, scale, clips, metrics)
        errors = ", ".join(f"{error:.3f}" for error in one.errors)
        print(
            f"{scale}, {TokenCodec(table, scale).step:.3f}, {one.bits:.1f}, {one.entropy:.1f}, "
            f"{one.bits / one.entropy:.3f}, {errors}, {one.reference_bytes:.1f}",
            flush=True,
        )


def build(dataset: Path, out: Path) -> None:
    """Fit the table of coefficients, write OUT and print the figures."""
    model = load_face_model(weights.find("face-model").path)
    seen, unseen = read_clips(dataset, "train"), read_clips(dataset, "unseen")
    if not seen or not unseen:
        raise InputError(f"{dataset} has no clips of seen or of unseen people; build it from the data folder.")
    metric, plain = (metric_of(seen, model, each) for each in (model.weights, np.ones(len(model.mean))))
    table = fit_table("coefficients", [tokens_of(clip) for clip in seen], COMPONENTS, metric)
    save_table(table, out)
    names = "weighted error and error of the points in % of the eye distance"
    report(table, [tokens_of(clip).astype(np.float64) for clip in unseen], (metric, plain), names)


def build_imf(tokens: Path, out: Path) -> None:
    """Fit the table of a network's tokens, write OUT and print the figures."""
    with np.load(tokens, allow_pickle=False) as file:
        groups = [[file[name] for name in file.files if name.startswith(f"{group}/")] for group in ("seen", "unseen")]
        metric = file["metric"] if "metric" in file.files else None
    if not all(groups) or any(clip.ndim != 2 for group in groups for clip in group):
        raise InputError(f"{tokens} lacks arrays seen/NAME and unseen/NAME of (T, D) tokens.")
    size = groups[0][0].shape[1]
    table = fit_table("imf", groups[0], min(size, MAX_COMPONENTS), metric)
    save_table(table, out)
    spread = np.mean(np.concatenate([(clip - clip.mean(0)) ** 2 for clip in groups[1]]).sum(1))
    plain, names = np.eye(size) * PERCENT**2 / spread, "error in % of the spread within clips"
    if metric is None:
        report(table, groups[1], (plain,), names)
    else:
        report(table, groups[1], (metric, plain), f"error in units, {names}")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = parser_of("codec-tables", __doc__, "out")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--dataset", type=Path, help="Output folder of `facepipe dataset build`.", metavar="PATH")
    source.add_argument("--tokens", type=Path, help="Tokens of an IMF network, an .npz.", metavar="PATH")
    args = parser.parse_args(argv)
    if args.tokens:
        build_imf(args.tokens, args.out)
    else:
        build(args.dataset, args.out)


if __name__ == "__main__":
    main()
