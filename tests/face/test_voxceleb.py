"""The VoxCeleb rule against hand-computed values, and annotations against their files."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facepipe.errors import InputError
from facepipe.face.cropping import SquareCrop
from facepipe.face.looks import Looks
from facepipe.face.multi_tracking import FaceTrack
from facepipe.face.utterances import read_utterance, spoken_boxes
from facepipe.face.voxceleb import clamped, cut_boxes, find_spans, is_annotated, parts, square_around, union_of

SIZE = (1280, 720)
NOTHING = Looks(*(np.zeros(shape, np.float32) for shape in ((16, 16, 3), (2,), (4, 3))))


def still(count: int, left: float = 400, top: float = 200, width: float = 260, height: float = 300) -> np.ndarray:
    return np.tile(np.array([left, top, left + width, top + height], float), (count, 1))


def track_of(boxes: np.ndarray, first_frame: int = 0, face: int = 0) -> FaceTrack:
    return FaceTrack(face, first_frame, SquareCrop(0, 0, 1), NOTHING, list(boxes))


@given(
    st.floats(0, 500), st.floats(0, 500), st.floats(20, 400), st.floats(20, 400),
)  # fmt: skip
def test_square_is_1_2_times_the_longer_side_around_the_middle(
    left: float, top: float, width: float, height: float
) -> None:
    found_left, found_top, side = square_around(np.array([left, top, left + width, top + height]))
    longer = max(width, height)
    # The minimum margin of a tenth may exceed what the shorter side needs; the longer side needs exactly that.
    assert side == pytest.approx(1.2 * longer, abs=2.1)
    assert found_left + side / 2 == pytest.approx(left + width / 2, abs=2.1)
    assert found_top + side / 2 == pytest.approx(top + height / 2, abs=2.1)


def test_square_by_hand() -> None:
    # 100 wide and 200 high: a margin of (240 - 100) / 200 = 0.7 of the width, and of a tenth of the height.
    assert square_around(np.array([300, 100, 400, 300.0])) == (230, 80, 240)
    assert clamped((230, 80, 240), (400, 300)) == (160, 60, 240)
    assert clamped((-20, 10, 400), (320, 300)) == (20, 0, 300)


def test_a_part_ends_where_the_box_has_left_its_first_position() -> None:
    """A box that moves by 1 pixel a frame: the overlap with the first is (260 - n) / (260 + n) until it is < 0.25."""
    boxes = still(400) + np.arange(400)[:, None] * np.array([1, 0, 1, 0])
    last = next(n for n in range(400) if (260 - n) / (260 + n) < 0.25)
    assert list(parts(boxes)) == [(0, last), (last, 2 * last), (2 * last, 400)]
    assert list(parts(still(2050))) == [(0, 1024), (1024, 2048), (2048, 2050)]


def test_good_clips_are_kept_and_the_others_counted() -> None:
    spans, rejected = cut_boxes(still(1024 + 63), SIZE, first_frame=10, smallest_pixels=256)
    assert [(span.first_frame, span.end_frame, span.box) for span in spans] == [(10, 1034, (350, 170, 360, 360))]
    assert rejected == {"too short": 1}
    assert cut_boxes(still(64, width=200, height=255), SIZE, first_frame=0, smallest_pixels=256)[1] == {"too small": 1}
    assert cut_boxes(still(64, top=20), SIZE, first_frame=0, smallest_pixels=256)[1] == {"leaves the picture": 1}
    assert len(cut_boxes(still(64, width=200, height=256), SIZE, first_frame=0, smallest_pixels=256)[0]) == 1


def test_union_holds_every_box() -> None:
    boxes = np.random.default_rng(0).uniform(0, 100, (20, 4))
    assert union_of(boxes).tolist() == [
        min(boxes[:, 0]), min(boxes[:, 1]), max(boxes[:, 2]), max(boxes[:, 3]),
    ]  # fmt: skip


def annotation(path: Path, frames: range, box: tuple[float, float, float, float], *, identity: str = "id10001") -> Path:
    rows = "".join(f"{frame:06} \t" + " \t ".join(map(str, box)) + "\n" for frame in frames)
    head = f"Identity  : \t{identity}\nReference : \tabc\nOffset    : \t-2\n\nFRAME \tX \tY \tW \tH \n"
    path.write_text(head + rows, encoding="utf-8")
    return path


def test_annotations_are_read_in_both_units(tmp_path: Path) -> None:
    pixels = read_utterance(annotation(tmp_path / "00001.txt", range(100, 180), (200, 100, 130, 150)))
    assert (pixels.name, pixels.person, len(pixels.frames)) == ("00001", "id10001", 80)
    assert pixels.box(100, SIZE).tolist() == [400, 200, 660, 500], "boxes refer to a picture 360 pixels high"  # type: ignore[union-attr]
    assert pixels.box(99, SIZE) is None
    shares = read_utterance(annotation(tmp_path / "00002.txt", range(2), (0.25, 0.5, 0.5, 0.25)))
    assert shares.box(1, SIZE).tolist() == [320, 360, 960, 540]  # type: ignore[union-attr]
    (tmp_path / "bad.txt").write_text("FRAME X Y\n1 2\n", encoding="utf-8")
    with pytest.raises(InputError, match="not a VoxCeleb annotation"):
        read_utterance(tmp_path / "bad.txt")


def test_the_annotated_face_is_the_clip(tmp_path: Path) -> None:
    """Two faces throughout; the annotation covers the right one for 80 frames at 25 frames/s, in a video at 50."""
    text = read_utterance(annotation(tmp_path / "1.txt", range(20, 100), (400, 90, 130, 150)))
    tracks = [track_of(still(300), face=0), track_of(still(300, left=800), face=1)]
    found = find_spans(tracks, [text], Fraction(50), SIZE, 256).found
    assert [(one.span.first_frame, one.span.end_frame, one.person, one.utterance) for one in found] == [
        (40, 200, "id10001", "1")
    ]
    assert found[0].span.left == 750
    wanted = is_annotated([text], Fraction(50))
    assert [frame for frame in range(300) if wanted(frame)] == list(range(40, 200))


def test_without_annotations_every_face_is_a_clip() -> None:
    found = find_spans([track_of(still(70)), track_of(still(80, left=800), 5, 1)], [], Fraction(25), SIZE, 256)
    assert [(one.face, one.span.first_frame, one.span.end_frame) for one in found.found] == [(0, 0, 70), (1, 5, 85)]


def test_a_long_gap_splits_the_boxes(tmp_path: Path) -> None:
    text = read_utterance(annotation(tmp_path / "1.txt", range(200), (200, 90, 130, 150)))
    tracks = [track_of(still(70)), track_of(still(50), 73), track_of(still(60), 140)]
    stretches = [(first, len(boxes)) for first, boxes in spoken_boxes(text, tracks, Fraction(25), SIZE)]
    assert stretches == [(0, 123), (140, 60)]
