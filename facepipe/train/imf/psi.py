"""Training of psi, the map from coefficients to tokens of a finished IMF network.

    facepipe train psi --network NETWORK.safetensors --cache CACHE --out FILE.safetensors

CACHE holds the frames of a data set, as `facepipe train pirender` unpacks them. The tokens of two frames of one clip,
and the difference of their coefficients, are a sample; every frame also counts turned, scaled and shifted. The network
is not changed; OUT is its file with the map in it. Some of the people are held out, for the figures that it prints.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor
from torch.nn import functional

from facepipe import weights
from facepipe.checkpoint import THREADS
from facepipe.face.cropping import whole_picture
from facepipe.face.fitting import Fit, fit
from facepipe.face.model import EXPRESSION_COUNT, FaceModel, load_face_model
from facepipe.renderers.imf.psi import PREFIX, Psi, tensors_of
from facepipe.renderers.imf.tokens import TokenEncoder
from facepipe.spaces.coefficients import from_fit
from facepipe.spaces.imf_tokens.coefficients import motion_rows
from facepipe.train.command import parser_of
from facepipe.train.imf.couples import Frame, moved, random_move, row_of
from facepipe.train.pirender.frame_cache import FrameCache, mirrored, open_frame_cache
from facepipe.weights.saving import save_tensors

Floats = NDArray[np.floating]
HELD_OUT = 10
"""One person in so many is held out."""
# Smallest standard deviation of a coefficient of the expression: sliders change some that hardly vary in talking faces.
MIN_SCALE = 0.3
# Share of the changes of expression that are not shortened.
REACH = 0.995


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters of the training."""

    frames_per_clip: int = 24
    """Frames of each clip, and as many of its mirror image."""
    moved: int = 1
    """Turned, scaled and shifted copies of each frame."""
    batch: int = 256
    steps: int = 4000
    peak_rate: float = 2e-3
    weight_decay: float = 1e-3
    seed: int = 1


@dataclass(frozen=True)
class Samples:
    """N frames, with their copies, of several clips."""

    tokens: Tensor
    """(N, 32)"""
    motion: Tensor
    """(N, 70) expression, angles, translation."""
    clip: NDArray[np.intp]
    """(N,) number of each frame's clip, in ascending order; a mirrored clip counts as another one."""

    def of(self, clips: Sequence[int]) -> Samples:
        """Return the samples of some clips."""
        rows = np.flatnonzero(np.isin(self.clip, clips))
        return Samples(self.tokens[rows], self.motion[rows], self.clip[rows])

    def couples(self, random: np.random.Generator, count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the numbers of `count` random frames, and of another frame of the clip of each."""
        numbers, first, size = np.unique(self.clip, return_index=True, return_counts=True)
        chosen = random.integers(0, len(numbers), count)
        one, other = (first[chosen] + (random.random(count) * size[chosen]).astype(int) for _ in range(2))
        return one, other


def samples_of(cache: FrameCache, encoder: TokenEncoder, model: FaceModel, recipe: Recipe) -> Samples:
    """Compute tokens and coefficients of frames of all clips, evenly spaced, and of their copies.

    The mirror image of clip i has the number C + i if there are C clips.
    """
    random, clips = np.random.default_rng(recipe.seed), list[int]()
    tokens, motion = list[Floats](), list[Floats]()
    for number in range(2 * len(cache.names)):
        flip, clip = divmod(number, len(cache.names))
        frames = list(_frames(cache, clip, model, random, recipe, flip=bool(flip)))
        tokens += encoder.tokens(one.picture for one in frames)
        motion.extend(coefficients_row(one) for one in frames)
        clips += [number] * len(frames)
        if (number + 1) % 50 == 0:
            print(f"tokens of {number + 1} of {2 * len(cache.names)} clips", flush=True)
    return Samples(torch.from_numpy(np.stack(tokens)), torch.from_numpy(np.stack(motion)).float(), np.array(clips))


def _frames(
    cache: FrameCache, clip: int, model: FaceModel, random: np.random.Generator, recipe: Recipe, *, flip: bool
) -> Iterator[Frame]:
    """Yield frames of a clip, mirrored if `flip`, each followed by its copies."""
    rows = cache.clip(clip)
    valid, points = cache.valid[rows], np.asarray(cache.points[rows], float)
    points = mirrored(points, model, cache.frames.shape[1]).astype(float) if flip else points
    fitted = fit(model, points, valid)
    there = np.flatnonzero(valid)
    for row in there[np.unique(np.linspace(0, len(there) - 1, recipe.frames_per_clip).astype(int))]:
        picture = cache.frames[rows.start + row]
        own = np.array(picture[:, ::-1] if flip else picture)
        frame = Frame(own, points[row], row_of(fitted, int(row)))
        yield frame
        for _ in range(recipe.moved):
            yield moved(frame, random_move(random, len(own)))


def coefficients_row(frame: Frame) -> Floats:
    """Return (70,) expression, angles and translation of a frame, relative to the whole picture."""
    side = len(frame.picture)
    fitted: Fit = frame.fit
    row = from_fit(fitted, np.ones(1, bool), fps=Fraction(25), crop=whole_picture(side), picture_size=(side, side))
    return np.asarray(motion_rows(row)[0])


def train(samples: Samples, recipe: Recipe) -> Psi:
    """Train the map. Differences of tokens and coefficients are standardised by those of the samples."""
    # The layers are too small to share.
    torch.set_num_threads(THREADS)
    torch.manual_seed(recipe.seed)
    random, psi = np.random.default_rng(recipe.seed), Psi()
    one, other = samples.couples(random, 100 * recipe.batch)
    psi.token_mean.copy_(samples.tokens.mean(0))
    psi.token_scale.copy_(samples.tokens.std(0).clamp(min=1e-6))
    edits = samples.motion[other] - samples.motion[one]
    psi.edit_scale.copy_(edits.std(0))
    psi.edit_scale[:EXPRESSION_COUNT].clamp_(min=MIN_SCALE)
    psi.reach.copy_(psi.standardised(edits)[:, :EXPRESSION_COUNT].norm(dim=1).quantile(REACH))
    optimiser = torch.optim.AdamW(psi.parameters(), recipe.peak_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.peak_rate, recipe.steps)
    for step in range(recipe.steps):
        one, other = samples.couples(random, recipe.batch)
        made = psi(samples.tokens[one], samples.motion[other] - samples.motion[one])
        loss = functional.smooth_l1_loss(made / psi.token_scale, samples.tokens[other] / psi.token_scale)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        if (step + 1) % 1000 == 0:
            print(f"step {step + 1} loss {float(loss.detach()):.4f}", flush=True)
    return psi.eval().requires_grad_(False)


@torch.inference_mode()
def explained(psi: Psi, samples: Samples, *, seed: int = 0, count: int = 20000) -> float:
    """Return the share of the squared differences between the tokens of two frames that the map predicts, at most 1."""
    one, other = samples.couples(np.random.default_rng(seed), count)
    made = psi(samples.tokens[one], samples.motion[other] - samples.motion[one])
    left, whole = (
        (samples.tokens[other] - given).div(psi.token_scale).pow(2).mean() for given in (made, samples.tokens[one])
    )
    return float(1 - left / whole)


def save(psi: Psi, network: Path, out: Path) -> None:
    """Write a network's file with the map in it, in place of one that it may have."""
    with safe_open(network, framework="pt") as file:
        header = file.metadata() or {}
        names = [name for name in file.keys() if not name.startswith(PREFIX)]  # noqa: SIM118 - no iterator of its own
        tensors = {name: file.get_tensor(name) for name in names}
    out.parent.mkdir(parents=True, exist_ok=True)
    save_tensors({**tensors, **tensors_of(psi)}, out, header)


def build(network: Path, cache: Path, out: Path, recipe: Recipe | None = None) -> None:
    """Train on the frames of a cache, print figures on the people held out, and write OUT."""
    recipe, frames = recipe or Recipe(), open_frame_cache(cache)
    samples = samples_of(frames, TokenEncoder(network), load_face_model(weights.find("face-model").path), recipe)
    people = sorted(set(frames.persons))[::HELD_OUT]
    held_out = [clip for clip, person in enumerate(2 * frames.persons) if person in people]
    seen = [clip for clip in range(2 * len(frames.names)) if clip not in held_out]
    psi = train(samples.of(seen), recipe)
    for title, clips in (("seen people", seen), ("people held out", held_out)):
        print(f"{title}: {100 * explained(psi, samples.of(clips)):.1f} % of token differences explained", flush=True)
    save(psi, network, out)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = parser_of("psi", __doc__, "cache", "out")
    parser.add_argument("--network", type=Path, required=True, help="File of the IMF network.", metavar="PATH")
    parser.add_argument("--steps", type=int, default=Recipe.steps, help="Steps of the training.", metavar="N")
    args = parser.parse_args(argv)
    build(args.network, args.cache, args.out, replace(Recipe(), steps=args.steps))


if __name__ == "__main__":
    main()
