"""Motion files written by earlier versions of facepipe stay readable, with the same numbers.

`tests/data/coefficients-facepipe.npz` and `coefficients-bfm.npz` were written by `save_coefficients` of version 0.1.0
(commit 2a9579a), which called the space linear478 "facepipe". Never replace them by later files. The numbers are
those of `expected`, multiples of powers of two, which float32 holds exactly.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from facepipe.face.cropping import SquareCrop
from facepipe.spaces import SPACES
from facepipe.spaces.bfm.coefficients import BfmCoefficients
from facepipe.spaces.coefficients import Coefficients
from facepipe.spaces.files import load_coefficients, read_header

DATA = Path(__file__).parents[1] / "data"
FRAMES = 4


def scattered(*shape: int, salt: int, scale: float = 1.0) -> NDArray[np.floating]:
    """Return numbers that look random, between -scale and scale."""
    index = np.arange(int(np.prod(shape)))
    return (scale / 1024 * ((index * 7919 + salt * 104729) % 2039 - 1019)).reshape(shape)


def expected(basis: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file."""
    common = {
        "expression": scattered(FRAMES, 64, salt=2),
        "angles": scattered(FRAMES, 3, salt=3, scale=0.25),
        "translation": scattered(FRAMES, 3, salt=4, scale=0.5),
        "valid": np.array([True, False, True, True]),
        "residual": 0.0625 + scattered(FRAMES, salt=5, scale=0.03125),
    }
    if basis == "facepipe":
        return {"identity": scattered(80, salt=1), **common}
    return {
        "identity": scattered(FRAMES, 80, salt=1),
        "texture": scattered(FRAMES, 80, salt=6, scale=2),
        "lighting": scattered(FRAMES, 27, salt=7),
        "crops": [1.0, 128.0, 128.0] + scattered(FRAMES, 3, salt=8) * [0.125, 16, 16],
        **common,
    }


@pytest.mark.parametrize(
    ("basis", "space", "kind"), [("facepipe", "linear478", Coefficients), ("bfm", "bfm", BfmCoefficients)]
)
def test_files_of_version_0_1_are_readable(basis: str, space: str, kind: type[Coefficients]) -> None:
    """Every array has the numbers that were written, and the header the same meaning."""
    path = DATA / f"coefficients-{basis}.npz"
    with np.load(path, allow_pickle=False) as file:
        assert {*file.files} == {"header", *expected(basis)}
        assert f'"basis": "{basis}"'.encode() in file["header"].tobytes()
    assert read_header(path)["space"] == space
    found = load_coefficients(path, space=SPACES[space])
    assert type(found) is kind
    for name, numbers in expected(basis).items():
        np.testing.assert_array_equal(getattr(found, name), numbers, err_msg=name)
    assert len(found) == FRAMES
    assert found.fps == Fraction(30000, 1001)
    assert found.crop == SquareCrop(210.5, 99.25, 300.0, 0.125)
    assert found.picture_size == (640, 360)
