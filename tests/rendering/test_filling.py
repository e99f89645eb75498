"""The background of a portrait without the person."""

import numpy as np

from facepipe.rendering.filling import hidden_by, is_visible, push_pull, without_person


def ramp_with_person(side: int = 96) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a background that brightens to the right, the same with a red person before it, and the matte."""
    back = np.repeat(np.linspace(60, 180, side)[None, :, None], side, axis=0).repeat(3, axis=2).astype(np.uint8)
    rows, columns = np.mgrid[:side, :side] / (side - 1)
    matte = np.clip((0.3 - np.hypot(rows - 0.6, columns - 0.5)) * 20, 0, 1).astype(np.float32)
    picture = np.round(back + matte[..., None] * (np.array([250, 10, 10]) - back)).astype(np.uint8)
    return back, picture, matte


def test_what_the_person_hides_continues_the_background() -> None:
    back, picture, matte = ramp_with_person()
    filled = without_person(picture, matte)
    hidden = hidden_by(matte)
    assert (hidden[matte > 0.05]).all()
    np.testing.assert_array_equal(filled[~hidden], picture[~hidden])
    error = np.abs(filled.astype(int) - back)[hidden]
    assert error.mean() < 6
    assert error.max() < 25
    # No red remains, neither inside nor at the edges.
    assert np.ptp(filled[hidden].astype(int), axis=1).max() <= 4


def test_a_picture_without_a_person_is_kept() -> None:
    back, _, matte = ramp_with_person()
    np.testing.assert_array_equal(without_person(back, np.zeros_like(matte)), back)


def test_a_person_who_fills_the_picture_is_replaced_by_its_border() -> None:
    picture = np.full((64, 64, 3), (250, 10, 10), np.uint8)
    picture[0], picture[:, 0], picture[:, -1] = 100, 100, 100
    matte = np.ones((64, 64), np.float32)
    assert not is_visible(matte)
    filled = without_person(picture, matte)
    assert np.abs(filled.astype(int) - 100).max() < 12


def test_noise_of_the_background_goes_on_behind_the_person() -> None:
    back, picture, matte = ramp_with_person()
    noise = np.random.default_rng(1).normal(0, 6, back.shape[:2])[..., None]
    noisy = np.clip(picture + noise, 0, 255).astype(np.uint8)
    deep = matte > 0.99
    smooth, grainy = without_person(picture, matte), without_person(noisy, matte)
    assert np.diff(smooth.astype(int), axis=0)[deep[1:]].std() < 1
    assert 2 < np.diff(grainy.astype(int), axis=0)[deep[1:]].std() < 12


def test_push_pull_keeps_what_is_known() -> None:
    colours = np.random.default_rng(2).uniform(0, 255, (13, 10, 3)).astype(np.float32)
    weights = (np.arange(130).reshape(13, 10) % 3 == 0).astype(np.float32)
    result = push_pull(colours, weights)
    np.testing.assert_allclose(result[weights == 1], colours[weights == 1], atol=1e-3)
    assert result.min() >= colours[weights == 1].min() - 1e-3
    assert result.max() <= colours[weights == 1].max() + 1e-3
