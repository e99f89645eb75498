"""Descriptor windows compared with the published code, and the crop rules."""

import numpy as np
import pytest

from facepipe.spaces.bfm.descriptor import (
    CROP,
    FRAMES,
    SCALE,
    rows_of_257,
    scale_factor,
    windows,
    with_crop,
)
from tests.fixtures import load_fixture

Rows = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


@pytest.fixture
def published() -> dict[str, Rows]:
    return {name: tensor.numpy() for name, tensor in load_fixture("pirender_descriptor")[0].items()}


def rows(stored: Rows) -> Rows:
    """Return rows from 260 stored numbers: 257 coefficients and the crop."""
    return rows_of_257(stored[:, :257], stored[:, 257:])


def test_windows_equal_the_published_ones(published: dict[str, Rows]) -> None:
    driving = published["input.driving_260"]
    for name in ("output.same_id_all", "output.train_window_all"):
        assert np.array_equal(windows(rows_of_257(driving[:, :257], driving[:, 257:])), published[name])


def test_a_single_image_is_repeated(published: dict[str, Rows]) -> None:
    stored = published["input.image_262"]
    window = windows(rows_of_257(stored[None, :257], stored[None, 259:]))
    assert np.array_equal(window[0], published["output.image_window"])


def test_the_adapted_scale_equals_the_published_one(published: dict[str, Rows]) -> None:
    source, driving = rows(published["input.source_260"])[0], rows(published["input.driving_260"])
    assert scale_factor(source, driving) == pytest.approx(float(published["output.crop_norm_ratio"][0]), rel=1e-6)
    adapted = windows(with_crop(source, driving, "adapt"))
    assert np.abs(adapted - published["output.cross_id_all"]).max() <= 1e-6
    assert np.array_equal(np.delete(adapted, SCALE, 1), np.delete(published["output.cross_id_all"], SCALE, 1))


def test_ends_of_the_clip_are_repeated(published: dict[str, Rows]) -> None:
    count = len(published["input.driving_260"])
    numbers = np.repeat(np.arange(float(count))[:, None], CROP.stop, axis=1)
    made = windows(numbers)
    assert made.shape == (count, CROP.stop, FRAMES)
    assert np.array_equal(made[0, 0], published["output.seq_index_first"])
    assert np.array_equal(made[-1, 5], published["output.seq_index_last"])


def test_windows_of_a_range_include_rows_outside_it() -> None:
    clip = np.random.default_rng(0).normal(size=(40, CROP.stop))
    assert np.array_equal(windows(clip, 17, 31), windows(clip)[17:31])
    assert np.array_equal(windows(clip[4:], 13, 27), windows(clip)[17:31])


def test_other_rules_keep_or_replace_the_crop() -> None:
    rng = np.random.default_rng(1)
    source, driving = rng.normal(size=CROP.stop), rng.normal(size=(5, CROP.stop))
    assert np.array_equal(with_crop(source, driving, "driver"), driving)
    kept = with_crop(source, driving, "source")
    assert np.array_equal(kept[:, CROP], np.tile(source[CROP], (5, 1)))
    assert np.array_equal(kept[:, : CROP.start], driving[:, : CROP.start])
    assert with_crop(source, np.tile(source, (3, 1)), "adapt") == pytest.approx(np.tile(source, (3, 1)))


def test_wrong_shapes_are_rejected() -> None:
    with pytest.raises(ValueError, match=r"expected \(T, 257\) and \(T, 3\)"):
        rows_of_257(np.zeros((4, 260)), np.zeros((4, 3)))
