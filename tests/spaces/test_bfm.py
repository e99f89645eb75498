"""Motion files of the space `bfm`, and their separation from linear478."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facepipe.errors import InputError
from facepipe.face.cropping import SquareCrop
from facepipe.spaces import bfm, linear478
from facepipe.spaces.bfm.coefficients import BfmCoefficients
from facepipe.spaces.coefficients import Coefficients
from facepipe.spaces.files import load_coefficients, save_coefficients

PER_FRAME = tuple(bfm.SPACE.arrays)


def some(count: int = 5) -> BfmCoefficients:
    """Return coefficients of `count` different frames; the second has no face."""
    rng = np.random.default_rng(0)
    floats: dict[str, Any] = {
        name: rng.normal(size=tuple(length or count for length in shape)).astype(np.float32)
        for name, shape in bfm.SPACE.arrays.items()
        if name not in ("valid", "shot")
    }
    return BfmCoefficients(
        **floats,
        valid=np.arange(count) != 1,
        shot=np.arange(count, dtype=np.int32) // 3,
        fps=Fraction(30000, 1001),
        crop=SquareCrop(100.5, 90.25, 128.0),
        picture_size=(320, 240),
    )


def test_files_round_trip(tmp_path: Path) -> None:
    """Equal content also gives equal bytes."""
    for name in ("a.npz", "b.npz"):
        save_coefficients(some(), tmp_path / name)
    again = load_coefficients(tmp_path / "a.npz", space=bfm.SPACE)
    assert isinstance(again, BfmCoefficients)
    for name in PER_FRAME:
        np.testing.assert_array_equal(getattr(again, name), getattr(some(), name))
    assert (again.fps, again.crop, again.picture_size) == (Fraction(30000, 1001), some().crop, (320, 240))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_selecting_frames_selects_all_arrays() -> None:
    """In this space identity, texture and lighting are also per frame."""
    clip = some()
    for part, index in (
        (clip.rows(2, 9), [2, 3, 4]),
        (clip.repeated(2), [0, 0]),
        (clip.without(~clip.valid), [0, 2, 3, 4]),
    ):
        assert isinstance(part, BfmCoefficients)
        for name in PER_FRAME:
            np.testing.assert_array_equal(getattr(part, name), getattr(clip, name)[index])


def test_descriptor_rows_are_in_the_published_order() -> None:
    """Expression, angles, translation, crop."""
    clip = some()
    rows = clip.descriptor_rows()
    assert rows.shape == (5, 73)
    for where, name in (((0, 64), "expression"), ((64, 67), "angles"), ((67, 70), "translation"), ((70, 73), "crops")):
        np.testing.assert_array_equal(rows[:, slice(*where)], getattr(clip, name))


def test_files_of_the_other_space_are_rejected(tmp_path: Path) -> None:
    """The error names the file, its space, the expected space, and the command that makes such a file."""
    save_coefficients(some(), tmp_path / "b.npz")
    with pytest.raises(InputError, match=r"b\.npz holds .* 'bfm', but 'linear478' .*--space linear478"):
        load_coefficients(tmp_path / "b.npz")
    own = Coefficients(
        identity=np.zeros(80),
        expression=np.zeros((2, 64)),
        angles=np.zeros((2, 3)),
        translation=np.zeros((2, 3)),
        valid=np.ones(2, bool),
        residual=np.zeros(2),
        fps=Fraction(25),
        crop=SquareCrop(1, 1, 2),
        picture_size=(2, 2),
    )
    save_coefficients(own, tmp_path / "f.npz")
    with pytest.raises(InputError, match=r"f\.npz holds .* 'linear478', but 'bfm' .*--space bfm"):
        load_coefficients(tmp_path / "f.npz", space=bfm.SPACE)
    assert load_coefficients(tmp_path / "f.npz", space=None).space is linear478.SPACE
    assert load_coefficients(tmp_path / "b.npz", space=None).space is bfm.SPACE
