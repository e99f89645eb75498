"""Rule that cuts VoxCeleb videos into training clips (from the first-order motion model, adopted by PIRenderer).

A clip continues as long as the face overlaps its position in the clip's first frame. The clip is then cut to one square
around the union of its boxes. Clips that are too short, too small or leave the picture are rejected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from facepipe.face.clip_candidates import ClipCandidate, ClipCandidates
from facepipe.face.cropping import box_of
from facepipe.face.detector import overlap
from facepipe.face.multi_tracking import FaceTrack
from facepipe.face.spans import Span
from facepipe.face.track import Track
from facepipe.face.utterances import Utterance, annotated_frame, spoken_boxes

Floats = NDArray[np.floating]

OVERLAP_FLOOR = 0.25
SHORTEST_FRAMES, LONGEST_FRAMES = 64, 1024
# Side of the square relative to the longer side of the union, and minimum margin at each edge, relative to the union.
LONGER_RATIO, GROWTH_FLOOR = 1.2, 0.1
_NOWHERE = Span(0, 0, 0, 0, 0)
TOO_SHORT, TOO_SMALL, OUTSIDE = "too short", "too small", "leaves the picture"
NOT_SEEN = "annotated face not found"


def cut_boxes(
    boxes: Floats, picture_size: tuple[int, int], *, first_frame: int, smallest_pixels: int
) -> tuple[list[Span], Counter[str]]:
    """Cut the (T, 4) boxes (left, top, right, bottom) of consecutive frames into spans.

    Returns the accepted spans, and the number of rejected spans by reason. `smallest_pixels` is the minimum of the
    longer side of a union: the size of the clips.
    """
    spans, rejected = [], Counter[str]()
    for first, end in parts(boxes):
        reason = TOO_SHORT if end - first < SHORTEST_FRAMES else ""
        union = union_of(boxes[first:end])
        if not reason and max(union[2] - union[0], union[3] - union[1]) < smallest_pixels:
            reason = TOO_SMALL
        left, top, side = square_around(union)
        inside = min(left, top) >= 0 and left + side <= picture_size[0] and top + side <= picture_size[1]
        if reason or not inside:
            rejected[reason or OUTSIDE] += 1
        else:
            spans.append(Span(first_frame + first, first_frame + end, left, top, side))
    return spans, rejected


def parts(boxes: Floats) -> Iterator[tuple[int, int]]:
    """Yield half-open ranges of rows in which each box overlaps the first box of the range."""
    first = 0
    for row in range(1, len(boxes)):
        if row - first == LONGEST_FRAMES or overlap(boxes[row], boxes[first]) < OVERLAP_FLOOR:
            yield first, row
            first = row
    if len(boxes):
        yield first, len(boxes)


def union_of(boxes: Floats) -> Floats:
    """Return the (left, top, right, bottom) box around all (T, 4) boxes."""
    return np.concatenate([boxes[:, :2].min(0), boxes[:, 2:].max(0)])


def square_around(box: Floats) -> tuple[int, int, int]:
    """Return left, top and side of the enlarged square; it may extend beyond the picture."""
    left, top, right, bottom = (float(edge) for edge in box)
    width, height = right - left, bottom - top
    across = max(GROWTH_FLOOR, (LONGER_RATIO * height - width) / (2 * width)) * width
    down = max(GROWTH_FLOOR, (LONGER_RATIO * width - height) / (2 * height)) * height
    edges = [int(edge) for edge in (left - across, top - down, right + across, bottom + down)]
    # Truncation can make width and height differ by one.
    return edges[0], edges[1], min(edges[2] - edges[0], edges[3] - edges[1])


def clamped(square: tuple[int, int, int], picture_size: Sequence[int]) -> tuple[int, int, int]:
    """Return the square moved into the picture, and shrunk if it is larger."""
    side = min(square[2], *picture_size)
    shift = (square[2] - side) // 2
    left, top = (
        min(max(corner + shift, 0), length - side) for corner, length in zip(square, picture_size, strict=False)
    )
    return left, top, side


def union_span(track: Track, picture_size: tuple[int, int]) -> Span:
    """Return a span of the entire clip with the rule's square, moved into the picture if necessary."""
    square = square_around(union_of(box_of(track.points[track.valid])))
    return Span(0, len(track.valid), *clamped(square, picture_size))


def find_spans(
    tracks: Sequence[FaceTrack],
    utterances: Sequence[Utterance],
    fps: Fraction,
    picture_size: tuple[int, int],
    smallest_pixels: int,
) -> ClipCandidates:
    """Cut the tracks of all faces or, if there are annotations, of the annotated faces into candidates.

    Boxes are in pixels of the picture.
    """
    found, rejected = [], Counter[str]()
    stretches: list[tuple[ClipCandidate, int, Floats]] = []
    for number, one in enumerate(utterances):
        spoken = list(spoken_boxes(one, tracks, fps, picture_size))
        stretches += [(ClipCandidate(_NOWHERE, number, one.person, one.name), first, boxes) for first, boxes in spoken]
        rejected[NOT_SEEN] += not spoken
    if not utterances:
        stretches = [
            (ClipCandidate(_NOWHERE, track.face), track.first_frame, np.array(track.boxes)) for track in tracks
        ]
    for candidate, first, boxes in stretches:
        spans, reasons = cut_boxes(boxes, picture_size, first_frame=first, smallest_pixels=smallest_pixels)
        found += [replace(candidate, span=span) for span in spans]
        rejected += reasons
    return ClipCandidates(max((track.end_frame for track in tracks), default=0), found, dict(+rejected))


def is_annotated(utterances: Sequence[Utterance], fps: Fraction) -> Callable[[int], bool]:
    """Return the predicate for frames to track: annotated frames, or all frames without annotations."""
    frames = frozenset(int(frame) for one in utterances for frame in one.frames)
    return lambda frame: not utterances or annotated_frame(frame, fps) in frames
