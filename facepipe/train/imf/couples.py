"""Training couples: two frames of one clip, each the reference of the other, with the correspondence of the mesh.

The mesh is a geometric prior of the training alone: it says where a point of the face is in both frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset

from facepipe.face import topology as at
from facepipe.face.fitting import Fit
from facepipe.face.model import FaceModel
from facepipe.face.pose import Similarity
from facepipe.renderers.mesh.renderer import MeshFlow, MeshRenderer
from facepipe.rendering.conditioning import surface_table
from facepipe.rendering.source import source_of_fit
from facepipe.train.pirender.frame_cache import FrameCache, fits_of, mirrored
from facepipe.train.pirender.pairs import colour_change, to_tensor

# Pixels of a cell of the correspondence.
CELL = 4
# Weight of a cell of eyes and lips, and of one beside the face, where the mesh only guesses; that of skin is 1.
FINE_WEIGHT, AROUND_WEIGHT = 3.0, 0.1
# Share of couples of a frame with itself, and of couples whose frames are both turned, scaled and shifted.
OWN_SHARE, MOVED_SHARE = 0.03, 0.5
MAX_TURN_DEGREES, MAX_SCALE, MAX_SHIFT_PIXELS = 15.0, 0.12, 14.0
# Share of couples chosen for their gaps of lids or lips, and the number of frames among which they are.
GAP_SHARE, GAP_FRAMES = 0.5, 12
# Upper and lower points of both eyes, and of the mouth.
GAPS = (
    ([*at.RIGHT_LID_UPPER, *at.LEFT_LID_UPPER], [*at.RIGHT_LID_LOWER, *at.LEFT_LID_LOWER]),
    ([*at.LIP_INNER_UPPER], [*at.LIP_INNER_LOWER]),
)
Picture = NDArray[np.uint8]
Floats = NDArray[np.floating]


class Couple(NamedTuple):
    """Two frames, or a batch with an additional first axis. Row i of `position` is for frame i drawn from the other."""

    frames: Tensor
    """(2, 3, S, S) uint8."""
    points: Tensor
    """(2, 478, 3) float32, landmarks in pixels."""
    position: Tensor
    """(2, 2, S / 4, S / 4) float32, x and y in the other frame; -1 and 1 are the picture's edges."""
    weight: Tensor
    """(2, S / 4, S / 4) float32, how much is known there."""
    surface: Tensor
    """(2, 6, S / 4, S / 4) float32: skin, eyes, mouth, and the canonical x, y, z of the face; zero off the face."""


class Frame(NamedTuple):
    """One frame of a couple."""

    picture: Picture
    points: Floats
    fit: Fit
    """One row."""


class Couples(IterableDataset[Couple]):
    """Endless random couples of some clips; every clip has the same probability."""

    def __init__(
        self, cache: FrameCache, model: FaceModel, clips: list[int], seed: int, *, augment: bool = True
    ) -> None:
        self.cache, self.model, self.clips, self.seed, self.augment = cache, model, clips, seed, augment
        self.fits = fits_of(cache, model)
        self.gaps = gaps_of(np.asarray(cache.points))

    def __iter__(self) -> Iterator[Couple]:
        random = np.random.default_rng(self.seed)
        while True:
            yield self.drawn(random)

    def drawn(self, random: np.random.Generator) -> Couple:
        """Return a random couple."""
        clip = int(random.choice(self.clips))
        there = np.flatnonzero(self.cache.valid[self.cache.clip(clip)])
        rows = self.rows(clip, there, random)
        if self.augment and random.random() < OWN_SHARE:
            rows[1] = rows[0]
        flip = self.augment and random.random() < 0.5
        pair = [self.frame(clip, row, flip=bool(flip)) for row in rows]
        if self.augment:
            change = colour_change(random)
            pair = [one._replace(picture=change[one.picture]) for one in pair]
            if random.random() < MOVED_SHARE:
                move = random_move(random, len(pair[0].picture))
                pair = [moved(one, move) for one in pair]
        return couple_of(pair, self.model)

    def rows(self, clip: int, there: NDArray[np.intp], random: np.random.Generator) -> list[int]:
        """Return two random frames of `there`, in a GAP_SHARE of cases those whose lids or lips are farthest apart.

        Eyes are closed in one frame of twenty, and few random couples would close or open one.
        """
        if random.random() >= GAP_SHARE:
            return [int(row) for row in random.choice(there, 2, replace=False)]
        some = random.choice(there, min(GAP_FRAMES, len(there)), replace=False)
        gaps = self.gaps[self.cache.clip(clip).start + some, random.integers(2)]
        ends = [int(some[gaps.argmin()]), int(some[gaps.argmax()])]
        return ends if ends[0] != ends[1] else [int(row) for row in some[:2]]

    def frame(self, clip: int, row: int, *, flip: bool = False) -> Frame:
        """Return a frame of a clip, mirrored if `flip`."""
        place, side = self.cache.clip(clip).start + row, self.cache.frames.shape[1]
        picture, points = self.cache.frames[place], np.asarray(self.cache.points[place])
        if flip:
            picture, points = picture[:, ::-1], mirrored(points[None], self.model, side)[0]
        return Frame(np.ascontiguousarray(picture), points, row_of(self.fits[clip][int(flip)], row))


def gaps_of(points: NDArray[np.floating]) -> Floats:
    """Return (T, 2) gaps of lids and of lips of (T, 478, 3) points, in their unit."""
    gaps = [np.linalg.norm(points[:, upper, :2] - points[:, lower, :2], axis=-1).mean(1) for upper, lower in GAPS]
    return np.stack(gaps, 1)


def row_of(fit: Fit, row: int) -> Fit:
    """Return one row of a fit."""
    rows = slice(row, row + 1)
    return replace(
        fit,
        expression=fit.expression[rows],
        pose=fit.pose.rows(rows),
        residual=fit.residual[rows],
        trusted=fit.trusted[rows],
    )


class Move(NamedTuple):
    """A similarity of the picture plane: `scale * turn @ p + shift`."""

    turn: Floats
    """(3, 3)"""
    scale: float
    shift: Floats
    """(3,), z is 0."""


def random_move(random: np.random.Generator, side: int) -> Move:
    """Return a random turn about the middle of the picture, scale and shift."""
    angle, scale = np.radians(random.uniform(-1, 1) * MAX_TURN_DEGREES), 1 + random.uniform(-1, 1) * MAX_SCALE
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    middle = np.array([(side - 1) / 2, (side - 1) / 2, 0])
    shift = np.append(random.uniform(-1, 1, 2) * MAX_SHIFT_PIXELS * side / 256, 0)
    return Move(turn, scale, middle - scale * turn @ middle + shift)


def moved(frame: Frame, move: Move) -> Frame:
    """Move a frame with its landmarks and its fit."""
    affine = np.concatenate([move.scale * move.turn[:2, :2], move.shift[:2, None]], 1)
    picture = cv2.warpAffine(
        frame.picture, affine, frame.picture.shape[1::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    pose, matrix = frame.fit.pose, move.scale * move.turn
    turned = Similarity(pose.scale * move.scale, move.turn @ pose.rotation, pose.translation @ matrix.T + move.shift)
    points = frame.points @ matrix.T + move.shift
    return Frame(np.asarray(picture, np.uint8), points, replace(frame.fit, pose=turned))


def couple_of(pair: list[Frame], model: FaceModel) -> Couple:
    """Return two frames with the correspondence of the mesh."""
    meshes = [MeshRenderer(model, source_of_fit(one.picture, one.points, one.fit)) for one in pair]
    # Row i says where the pixels of frame i are in the other.
    flows = [meshes[1 - row].flow(one.points, one.fit.pose) for row, one in enumerate(pair)]
    ends = meshes[0].regions()
    placed = [correspondence(flow, ends) for flow in flows]
    table = surface_table(model, ends)
    surfaces = [table[flow.triangle[CELL // 2 :: CELL, CELL // 2 :: CELL]].transpose(2, 0, 1) for flow in flows]
    return Couple(
        torch.stack([to_tensor(one.picture) for one in pair]),
        torch.from_numpy(np.stack([one.points for one in pair]).astype(np.float32)),
        torch.from_numpy(np.stack([position for position, _ in placed])),
        torch.from_numpy(np.stack([weight for _, weight in placed])),
        torch.from_numpy(np.stack(surfaces)),
    )


def correspondence(flow: MeshFlow, ends: NDArray[np.intp]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return (2, s, s) positions in the source for each cell of the target, and (s, s) weights."""
    side = len(flow.triangle)
    middles = (np.s_[CELL // 2 - 1 :: CELL], np.s_[CELL // 2 :: CELL])
    pixels = np.mean([flow.source_position[down, across] for down in middles for across in middles], axis=0)
    position = ((pixels * 2 + 1) / side - 1).transpose(2, 0, 1).astype(np.float32)
    triangle, visible = (part[CELL // 2 :: CELL, CELL // 2 :: CELL] for part in (flow.triangle, flow.visible))
    skin, eyes, mouth = (int(end) for end in ends[:3])
    # Inside a mouth the source may show lips.
    weight = np.select(
        [triangle < 0, triangle < skin, triangle < eyes, triangle < mouth], [0, 1, FINE_WEIGHT, 0], AROUND_WEIGHT
    )
    known = visible & (np.abs(position) < 1).all(0)
    return np.ascontiguousarray(position), (weight * known).astype(np.float32)
