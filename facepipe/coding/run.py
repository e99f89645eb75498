"""Coding of a run: the consecutive frames of one shot that one still stands for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from facepipe.codec import TokenCodec, TokenTable
from facepipe.coding.plan import STILL_CEILING_BYTES, STILL_FLOOR_BYTES, Budget, Plan, choose_plan
from facepipe.coding.portrait import Portrait, PortraitReader
from facepipe.coding.viewing import View
from facepipe.face.cropping import box_of, outer_eye_distance
from facepipe.media.stills_codec import decode_still, fit_still
from facepipe.spaces.smoothing import smooth

Picture = NDArray[np.uint8]
Floats = NDArray[np.floating]

# Every so often the drawn frame is compared with the true one. A run is split if one of them is poor, but not into
# shorter pieces than the second.
CHECK_SECONDS, SHORTEST_SECONDS = 0.4, 1.0
# Poor: the mean difference of the face in levels, both reduced to this side, beyond that of the still itself.
POOR_LEVELS, COMPARED_PIXELS = 20.0, 24
# A step of the correction is averaged over this time: what the renderer lacks changes slowly, noise does not.
CORRECTION_SECONDS = 0.2
# Frames of a run among which the still is chosen, and every how many-th landmark compares them.
CANDIDATES, COMPARED_POINTS = 60, 6


@dataclass(frozen=True)
class CodedRun:
    """A run as a stream holds it."""

    still: bytes
    reference: bytes
    """Packet of the still's own tokens; empty if it shows no face."""
    packets: tuple[bytes | None, ...]
    """One for each frame; None for a frame that is interpolated."""
    landmark_error: float
    """Mean distance of the drawn landmarks to the true ones before the correction, in outer-eye distances."""


@dataclass
class RunCoder:
    """Codes runs. The plan is chosen with the first run that shows a face, and kept."""

    portraits: PortraitReader
    table: TokenTable
    budget: Budget
    corrects: bool = True
    """Whether the encoder draws its own result and corrects the tokens by what it sees there."""
    plan: Plan | None = None

    def code(self, view: View) -> Iterator[CodedRun]:
        """Yield the runs of a view: one for each shot, and more where a prediction is poor."""
        seconds = len(view) / view.fps
        stills, whole = self.budget.still_count(seconds), self.budget.still_bytes(seconds)
        for first, end in _shots(view.shot):
            share = (end - first) / len(view)
            yield from self._code(view.rows(first, end), max(1, round(stills * share)), share * whole)

    def _code(self, view: View, stills: int, still_bytes: float) -> Iterator[CodedRun]:
        """Yield the runs of one shot with up to `stills` stills of `still_bytes` in all."""
        seconds = len(view) / view.fps
        still, portrait = self._still(view, still_bytes)
        if portrait is None or not view.valid.any():
            yield CodedRun(still, b"", (b"", *[None] * (len(view) - 2), b"")[: len(view)], 0.0)
            return
        tokens = portrait.estimate(view)
        if stills > 1 and seconds >= 2 * SHORTEST_SECONDS and _is_poor(portrait, tokens, view):
            middle = _split(view)
            share = min(max(round(stills * middle / len(view)), 1), stills - 1)
            first_bytes = still_bytes * middle / len(view)
            yield from self._code(view.rows(0, middle), share, first_bytes)
            yield from self._code(view.rows(middle, len(view)), stills - share, still_bytes - first_bytes)
            return
        if self.plan is None:
            max_bytes = self.budget.token_bytes(seconds, len(still))
            self.plan = choose_plan(self.table, portrait.own, tokens, max_bytes)
        yield self._packed(view, still, portrait, tokens, self.plan)

    def _still(self, view: View, wanted_bytes: float) -> tuple[bytes, Portrait | None]:
        """Return the still of a run, and its portrait if it shows a face, as every decoder sees it."""
        picture, max_bytes = view.pictures[_middle_frame(view)], _within(wanted_bytes)
        for wanted in (max_bytes, 2 * max_bytes, 4 * max_bytes):
            still = fit_still(picture, wanted)
            portrait = self.portraits.open(decode_still(still, len(picture)))
            if portrait is not None or not view.valid.any():
                return still, portrait
        return fit_still(picture, max_bytes), None

    def _packed(self, view: View, still: bytes, portrait: Portrait, tokens: Floats, plan: Plan) -> CodedRun:
        codec, sent = TokenCodec(self.table, plan.scale), plan.sent(len(view))
        reference = codec.reference(portrait.own)
        packets = [codec.packet(tokens[row] - portrait.own, reference) for row in sent]
        error = 0.0
        if self.corrects:
            decoded = np.stack([portrait.own + codec.difference(packet, reference) for packet in packets])
            change = _correction(portrait, decoded, tokens[sent], view, sent, view.fps / plan.interval)
            error = float(np.sqrt(np.mean(change**2)))
            corrected = decoded + change
            packets = [codec.packet(row - portrait.own, reference) for row in corrected]
        whole: list[bytes | None] = [None] * len(view)
        for row, packet in zip(sent, packets, strict=True):
            whole[row] = packet
        return CodedRun(still, reference.packet, tuple(whole), error)


def _within(wanted_bytes: float) -> int:
    return int(min(max(wanted_bytes, STILL_FLOOR_BYTES), STILL_CEILING_BYTES))


def _correction(
    portrait: Portrait, decoded: Floats, wanted: Floats, view: View, sent: NDArray[np.intp], fps: float
) -> Floats:
    """Return by how much (N, D) decoded tokens must change for the drawn frames to show the wanted tokens."""
    drawn = list(portrait.draw(decoded))
    valid = view.valid[sent]
    seen, found = portrait.seen([drawn[row] for row in np.flatnonzero(valid)], view.points[sent][valid])
    change = wanted - decoded
    rows = np.flatnonzero(valid)[found]
    change[rows] = wanted[rows] - seen[found]
    return smooth(change, "savitzky-golay", fps, CORRECTION_SECONDS)


def _shots(shot: NDArray[np.int32]) -> list[tuple[int, int]]:
    edges = [0, *(np.flatnonzero(np.diff(shot)) + 1).tolist(), len(shot)]
    return list(pairwise(edges))


def _shapes(view: View) -> tuple[NDArray[np.intp], Floats]:
    """Return up to `CANDIDATES` frames with a face, and their landmarks without place and size, flat."""
    there = np.flatnonzero(view.valid)
    there = there[:: max(1, -(-len(there) // CANDIDATES))]
    points = view.points[there][:, ::COMPARED_POINTS]
    points = (points - points.mean(1, keepdims=True)) / outer_eye_distance(view.points[there])[:, None, None]
    return there, points.reshape(len(there), -1)


def _middle_frame(view: View) -> int:
    """Return the frame that is most like all others: the least has to be extrapolated from it."""
    if not view.valid.any():
        return len(view) // 2
    there, shapes = _shapes(view)
    away = np.linalg.norm(shapes[:, None] - shapes[None], axis=-1)
    return int(there[np.argmin(away.mean(1))])


def _split(view: View) -> int:
    """Return the frame at which to begin a second run, so that both halves differ least from their means."""
    there, shapes = _shapes(view)
    shortest = round(SHORTEST_SECONDS * view.fps)
    places = [place for place in there[1:].tolist() if shortest <= place <= len(view) - shortest]

    def spread(place: int) -> float:
        halves = (shapes[there < place], shapes[there >= place])
        return float(sum(np.square(half - half.mean(0)).sum() for half in halves))

    return min(places, key=spread, default=len(view) // 2)


def _is_poor(portrait: Portrait, tokens: Floats, view: View) -> bool:
    """Return whether a frame is drawn poorly, by a few of them."""
    rows = np.flatnonzero(view.valid)[:: max(1, round(CHECK_SECONDS * view.fps))]
    drawn = portrait.draw(tokens[rows])
    return any(
        mismatch(one, view.pictures[row], view.points[row]) > POOR_LEVELS for one, row in zip(drawn, rows, strict=True)
    )


def mismatch(drawn: Picture, true: Picture, points: Floats) -> float:
    """Return the mean difference of two pictures in levels around a face with (478, 3) landmarks, both reduced."""
    left, top, right, bottom = (int(edge) for edge in np.clip(box_of(points), 0, len(true) - 1))
    if right - left < 2 or bottom - top < 2:
        return 0.0
    size = (COMPARED_PIXELS, COMPARED_PIXELS)
    one, other = (
        cv2.resize(picture[top : bottom + 1, left : right + 1], size, interpolation=cv2.INTER_AREA).astype(np.float32)
        for picture in (drawn, true)
    )
    return float(np.abs(one - other).mean())
