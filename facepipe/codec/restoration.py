"""Restoration of tokens in a decoder: frames without a packet are interpolated, the others smoothed.

Every result depends on few neighbours, so that a stream is decoded while it arrives: a frame waits for the two frames
after it, or if it has no packet for the next two packets, at most 25 frames away.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
LOOK_AHEAD_FRAMES = 25
# A parabola through five rows, at the middle one: it follows lips, and halves the variance of the quantiser's noise.
SMOOTHER = np.array([-3, 12, 17, 12, -3]) / 35
HALF = len(SMOOTHER) // 2


def restored(
    frames: Iterable[tuple[int, Floats | None]], size: int, *, smooth: bool = True
) -> Iterator[tuple[int, Floats]]:
    """Yield (frame, (D,) tokens) for all frames of one key frame, in order.

    Args:
        frames: Consecutive frames from that of the key frame on, with their tokens less those of the key frame; None
            for a frame without a packet, lost or skipped.
        size: D.
        smooth: Whether frames are smoothed if the two frames before and the two after them have packets.
    """
    source = iter(frames)
    past: deque[Floats | None] = deque(maxlen=HALF)
    known: deque[tuple[int, Floats]] = deque(maxlen=2)
    ahead: deque[tuple[int, Floats | None]] = deque()
    while True:
        while not _is_enough(ahead) and (following := next(source, None)):
            # The key frame does not differ from itself.
            is_key = not ahead and not past and following[1] is None
            ahead.append((following[0], np.zeros(size)) if is_key else following)
        if not ahead:
            return
        frame, tokens = ahead.popleft()
        if tokens is None:
            yield frame, _interpolated(frame, known, _next_known(ahead), size)
        else:
            near = [*past, tokens, *(each for _, each in islice(ahead, HALF))]
            whole = [each for each in near if each is not None]
            yield frame, _smoothed(whole) if smooth and len(whole) == len(SMOOTHER) else tokens
            known.append((frame, tokens))
        past.append(tokens)


def _is_enough(ahead: deque[tuple[int, Floats | None]]) -> bool:
    """Return whether all that the result of the first of these frames depends on has arrived."""
    if not ahead:
        return False
    if ahead[0][1] is not None:
        return len(ahead) > HALF
    return len(ahead) > LOOK_AHEAD_FRAMES or len(_next_known(ahead)) == 2


def _next_known(ahead: deque[tuple[int, Floats | None]]) -> list[tuple[int, Floats]]:
    """Return the first two frames with a packet."""
    near = islice(ahead, LOOK_AHEAD_FRAMES + 1)
    return list(islice(((frame, tokens) for frame, tokens in near if tokens is not None), 2))


def _smoothed(rows: list[Floats]) -> Floats:
    return np.asarray(sum(share * row for share, row in zip(SMOOTHER, rows, strict=True)))


def _interpolated(frame: int, before: deque[tuple[int, Floats]], after: list[tuple[int, Floats]], size: int) -> Floats:
    """Return the cubic Hermite interpolation at a frame between the nearest two frames, or hold the only one.

    Slopes are those between the neighbours of each frame (Catmull and Rom), or to the other frame where one is missing.
    """
    if not before or not after:
        nearest = [*before, *after]
        return nearest[0 if after else -1][1] if nearest else np.zeros(size)
    (left, a), (right, b) = before[-1], after[0]
    length = right - left
    slope = (b - a) / length
    left_slope = (b - before[0][1]) / (right - before[0][0]) if len(before) == 2 else slope
    right_slope = (after[1][1] - a) / (after[1][0] - left) if len(after) == 2 else slope
    t = (frame - left) / length
    rest = 1 - t
    bend = length * t * rest * (rest * left_slope - t * right_slope)
    return np.asarray((1 + 2 * t) * rest**2 * a + t**2 * (3 - 2 * t) * b + bend)
