"""Tokens of an IMF network for the fitting of the table with which `.fpv` streams code them.

    facepipe train codec-tokens --dataset DATASET --network NETWORK --out TOKENS

DATASET is the output of `facepipe dataset build`, NETWORK an IMF network (.safetensors). TOKENS, an .npz, holds an
array seen/NAME or unseen/NAME of (T, D) for each clip of a seen or unseen person, and a metric of tokens. `facepipe
train codec-tables --tokens TOKENS` fits the table.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepipe import weights
from facepipe.codec.fitting import SPAN_FRAMES
from facepipe.dataset.listing import path_of, read_list
from facepipe.errors import InputError
from facepipe.face.cropping import outer_eye_distance
from facepipe.face.model import load_face_model
from facepipe.face.track import Track, load_track
from facepipe.media.decode import decode_frames
from facepipe.renderers.imf.tokens import TokenEncoder
from facepipe.train.command import parser_of

Floats = NDArray[np.floating]
SHORTEST_FRAMES = 25
GROUPS = {"train": "seen", "unseen": "unseen"}
"""Names of the groups in TOKENS by split of the data set."""
PERCENT = 100
# What tokens say beside landmarks (gaze, teeth, wrinkles) is this share of what they say.
APPEARANCE_SHARE = 0.02


def stretch_of(track: Track) -> slice:
    """Return the first frames without cut or gap, at most those of one key frame; an empty slice if they are few."""
    breaks = np.flatnonzero(np.diff(track.shots) | ~track.valid[1:] | ~track.valid[:-1]) + 1
    edges = [0, *breaks.tolist(), len(track.valid)]
    for first, end in itertools.pairwise(edges):
        if end - first >= SHORTEST_FRAMES and track.valid[first]:
            return slice(first, min(end, first + SPAN_FRAMES))
    return slice(0, 0)


def tokens_of(dataset: Path, split: str, encoder: TokenEncoder) -> Iterator[tuple[str, Floats, Floats]]:
    """Yield the name of each clip of a split with its (T, D) tokens and its (T, 478, 2) points in eye distances."""
    for entry in read_list(dataset, split):
        track = load_track(path_of(dataset, entry.id, "track")).track
        rows = stretch_of(track)
        if rows.stop == 0:
            continue
        frames = decode_frames(path_of(dataset, entry.id, "clip"))
        tokens = np.stack(list(encoder.tokens(itertools.islice(frames, rows.start, rows.stop))))
        points = track.points[rows].astype(np.float64)
        yield entry.id, tokens, points[..., :2] / outer_eye_distance(points).mean()


def metric_of(clips: Sequence[tuple[Floats, Floats]], point_weights: Floats) -> NDArray[np.float64]:
    """Return the (D, D) metric G of clips of (T, D) tokens and (T, N, 2) points with (N,) weights.

    d G d is the mean squared movement of the points by a change d of the token, in % of the eye distance, as a linear
    map predicts it; and, for what points do not show, a share that is alike for all numbers.
    """
    share = np.sqrt(point_weights / point_weights.sum())[:, None]
    tokens = np.concatenate([one - one.mean(0) for one, _ in clips]).astype(np.float64)
    points = np.concatenate([((one - one.mean(0)) * share).reshape(len(one), -1) for _, one in clips])
    moved = PERCENT * np.linalg.lstsq(tokens, points, rcond=None)[0]
    metric = moved @ moved.T
    said = np.mean(((tokens @ metric) * tokens).sum(1))
    alike = np.eye(len(metric)) * said / np.mean((tokens**2).sum(1))
    return np.asarray((1 - APPEARANCE_SHARE) * metric + APPEARANCE_SHARE * alike)


def build(dataset: Path, network: Path, out: Path) -> None:
    """Compute the tokens of both groups, and write OUT."""
    encoder, model = TokenEncoder(network), load_face_model(weights.find("face-model").path)
    arrays: dict[str, Floats] = {}
    seen = []
    for split, group in GROUPS.items():
        for name, tokens, points in tokens_of(dataset, split, encoder):
            arrays[f"{group}/{name}"] = tokens
            if group == "seen":
                seen.append((tokens, points))
        frames = sum(len(array) for name, array in arrays.items() if name.startswith(f"{group}/"))
        print(f"{group}: {frames} frames", flush=True)
    if not seen:
        raise InputError(f"{dataset} has no clips of seen people; build it from the data folder.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("wb") as file:
        np.savez(file, metric=metric_of(seen, model.weights), **arrays)  # type: ignore[arg-type]


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = parser_of("codec-tokens", __doc__)
    parser.add_argument("--dataset", type=Path, required=True, help="Output folder of `facepipe dataset build`.")
    parser.add_argument("--network", type=Path, required=True, help="An IMF network (.safetensors).")
    parser.add_argument("--out", type=Path, required=True, help="The tokens to write (.npz).")
    args = parser.parse_args(argv)
    build(args.dataset, args.network, args.out)


if __name__ == "__main__":
    main()
