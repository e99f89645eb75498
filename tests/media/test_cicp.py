import numpy as np
import pytest

from facepipe.media.cicp import CodePoints


def grey(points: CodePoints, value: int) -> int:
    return int(points.to_srgb(np.full((1, 1, 3), value, np.uint8))[0, 0, 0])


@pytest.mark.parametrize(("transfer", "white"), [(16, 148), (18, 191)])
def test_reference_white_and_highlights(transfer: int, white: int) -> None:
    """203 nit are 58 % of PQ and 75 % of HLG; above them, values rise up to the end."""
    points = CodePoints(9, transfer)
    assert grey(points, 0) == 0
    assert grey(points, white) == pytest.approx(237, abs=2)
    values = [grey(points, value) for value in range(256)]
    assert values == sorted(values)
    assert grey(points, 255) == 255 if transfer == 16 else 250 <= grey(points, 255) < 255


def test_grey_stays_in_other_primaries() -> None:
    for primaries in (9, 11, 12):
        assert [grey(CodePoints(primaries, 13), value) for value in (0, 40, 128, 255)] == [0, 40, 128, 255]


def test_ordinary_colours_need_nothing() -> None:
    assert CodePoints(1, 13).name == CodePoints(2, 2).name == CodePoints(6, 1).name == ""
