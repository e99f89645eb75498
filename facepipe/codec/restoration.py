"""Restoration of tokens in a decoder: frames without a packet are interpolated, the others smoothed.

Every result depends on few neighbours, so that a stream is decoded while it arrives: a frame waits for the two frames
after it, or if it has no packet for the next two packets, at most 25 frames away.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

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
        smooth: Whether frames with packets in all of the two frames before and after them are smoothed.
    """
    # Frames from two packets before the next result on.
    held: deque[tuple[int, Floats | None]] = deque()
    waiting = 0
    source = iter(frames)
    ended = False
    while True:
        while not ended and not _is_ready(held, waiting):
            following = next(source, None)
            ended = following is None
            if following:
                # The key frame itself does not differ from itself.
                first = not held and waiting == 0 and following[1] is None
                held.append((following[0], np.zeros(size)) if first else following)
        if waiting == len(held):
            return
        yield held[waiting][0], _result(held, waiting, size, smooth=smooth)
        waiting += 1
        waiting -= _drop_old(held, waiting)


def _is_ready(held: deque[tuple[int, Floats | None]], place: int) -> bool:
    """Return whether all that the result at a place depends on has arrived."""
    if place >= len(held):
        return False
    behind = len(held) - 1 - place
    if held[place][1] is not None:
        return behind >= HALF
    return behind >= LOOK_AHEAD_FRAMES or len(_known(held, range(place + 1, len(held)))) == 2


def _known(held: deque[tuple[int, Floats | None]], places: range) -> list[tuple[int, Floats]]:
    """Return the first two frames with tokens among the places."""
    found = []
    for place in places:
        frame, tokens = held[place]
        if tokens is not None:
            found.append((frame, tokens))
            if len(found) == 2:
                break
    return found


def _drop_old(held: deque[tuple[int, Floats | None]], waiting: int) -> int:
    """Remove frames that no result depends on any more, and return their number."""
    dropped = 0
    while waiting - dropped > HALF and len(_known(held, range(1, waiting - dropped))) == 2:
        held.popleft()
        dropped += 1
    return dropped


def _result(held: deque[tuple[int, Floats | None]], place: int, size: int, *, smooth: bool) -> Floats:
    frame, tokens = held[place]
    if tokens is None:
        before = _known(held, range(place - 1, -1, -1))
        after = _known(held, range(place + 1, min(place + 1 + LOOK_AHEAD_FRAMES, len(held))))
        return _interpolated(frame, before, after, size)
    around = [held[at][1] for at in range(place - HALF, place + HALF + 1) if 0 <= at < len(held)]
    if not smooth or len(around) < len(SMOOTHER) or any(each is None for each in around):
        return tokens
    return np.asarray(sum(share * each for share, each in zip(SMOOTHER, around, strict=True) if each is not None))


def _interpolated(frame: int, before: list[tuple[int, Floats]], after: list[tuple[int, Floats]], size: int) -> Floats:
    """Return the cubic Hermite interpolation at a frame between the nearest two frames, or hold the only one.

    Slopes are those between the neighbours of each frame (Catmull and Rom), or to the other frame where one is missing.
    """
    if not before or not after:
        nearest = (before or after)[:1]
        return nearest[0][1] if nearest else np.zeros(size)
    (left, a), (right, b) = before[0], after[0]
    slope = (b - a) / (right - left)
    left_slope = (b - before[1][1]) / (right - before[1][0]) if len(before) == 2 else slope
    right_slope = (after[1][1] - a) / (after[1][0] - left) if len(after) == 2 else slope
    length = right - left
    t = (frame - left) / length
    rest = 1 - t
    return (
        (1 + 2 * t) * rest**2 * a + t**2 * (3 - 2 * t) * b + length * t * rest * (rest * left_slope - t * right_slope)
    )
