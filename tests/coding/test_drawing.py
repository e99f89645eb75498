"""Drawing: interpolated, held and lost frames."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest

from facepipe.codec import End, Frame, Header, Key, Lost, Sound, TokenCodec, plain_table
from facepipe.coding.drawing import Drawer
from facepipe.media.stills_codec import encode_still
from tests.coding.fakes import SIDE, FakeReader

TABLE = plain_table("coefficients", 2)
HEADER = Header(SIDE, SIDE, Fraction(25), "coefficients", bytes(16), TABLE.digest, 0, "av1")
CODEC = TokenCodec(TABLE, 0)


def _still(level: int) -> bytes:
    return encode_still(np.full((SIDE, SIDE, 3), level, np.uint8), 20)


def _key(frame: int = 0, level: int = 100, **others: object) -> Key:
    return Key(frame, _still(level), CODEC.reference(np.array([level, 0.0])).packet, **others)  # type: ignore[arg-type]


def _frame(number: int, change: float, level: int = 100) -> Frame:
    return Frame(number, CODEC.packet(np.array([change, 0.0]), CODEC.reference(np.array([level, 0.0]))))


def _levels(items: Sequence[object], lost: str = "interpolate") -> tuple[list[int], Drawer]:
    drawer = Drawer(HEADER, FakeReader(), TABLE, lost)  # type: ignore[arg-type]
    pictures = [one for one in drawer.draw(items) if not isinstance(one, Sound)]  # type: ignore[arg-type]
    return [round(float(picture.mean())) for picture in pictures], drawer


def test_a_frame_without_a_packet_is_between_its_neighbours() -> None:
    items = [_key(), _frame(0, 0), Frame(1, b""), _frame(2, 8), End(3, 0)]
    levels, drawer = _levels(items)
    assert levels[1] - levels[0] == levels[2] - levels[1] == 4
    assert drawer.losses.complete
    assert drawer.losses.lost_frames == 0


@pytest.mark.parametrize("lost", ["interpolate", "hold"])
def test_lost_frames_are_interpolated_or_held(lost: str) -> None:
    levels, drawer = _levels([_key(), _frame(0, 0), Lost(1, 4), _frame(4, 8), End(5, 0)], lost)
    steps = np.diff(levels).tolist()
    # The decoder smooths over five frames.
    assert np.allclose(steps, [2, 2, 2, 2] if lost == "interpolate" else [0, 0, 0, 8], atol=1)
    assert drawer.losses.lost_frames == 3
    assert drawer.losses.held_frames == (0 if lost == "interpolate" else 3)


def test_a_long_gap_is_held() -> None:
    levels, _ = _levels([_key(), _frame(0, 0), Lost(1, 60), _frame(60, 8), End(61, 0)])
    assert len(levels) == 61
    assert np.ptp(levels[:60]) <= 1
    assert levels[60] == levels[0] + 8


def test_a_damaged_still_leaves_the_picture_before_it() -> None:
    broken = Key(1, b"damaged", _key().reference)
    levels, drawer = _levels([_key(), _frame(0, 5), broken, _frame(1, 0), _frame(2, 0), End(3, 0)])
    assert levels == [levels[0]] * 3
    assert drawer.losses.damaged_stills == 1


def test_a_still_without_a_face_is_shown() -> None:
    items = [Key(0, _still(0)), Frame(0, b""), Frame(1, b""), _key(2, 150), _frame(2, 0, 150), End(3, 0)]
    levels, _ = _levels(items)
    assert levels[0] == levels[1] <= 2
    assert abs(levels[2] - 150) <= 2


def test_a_stream_that_ends_early_is_drawn_as_far_as_it_goes() -> None:
    levels, drawer = _levels([_key(), _frame(0, 0), _frame(1, 2)])
    assert len(levels) == drawer.losses.frame_count == 2
    assert not drawer.losses.complete


def test_the_chunks_do_not_change_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    items = [_key(), *(_frame(number, number % 7) for number in range(30)), End(30, 0)]
    whole, _ = _levels(items)
    monkeypatch.setattr("facepipe.coding.drawing.CHUNK_FRAMES", 1)
    assert _levels(items)[0] == whole
