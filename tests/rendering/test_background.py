"""Backgrounds: their names, and frames over them."""

import numpy as np
import pytest

from facepipe.rendering.background import Composition, covering, cut_out, over, plain, with_clean_colours
from facepipe.rendering.background_rule import colour_of, is_background, is_picture


@pytest.mark.parametrize(
    ("text", "colour"),
    [("white", "#ffffff"), ("black", "#000000"), ("#0aF", "#00aaff"), ("#00AAff", "#00aaff"), ("00aaff", "#00aaff")],
)
def test_colours_are_those_of_css(text: str, colour: str) -> None:
    assert colour_of(text) == colour
    assert is_background(text)
    assert not is_picture(text)


@pytest.mark.parametrize("text", ["", "whit", "#ggg", "#12345", "green", "#"])
def test_other_words_are_no_background(text: str) -> None:
    assert not is_background(text)


@pytest.mark.parametrize("text", ["beach.jpg", "a/beach", "#fff.png", "./white", "fff.jp2"])
def test_a_path_is_a_picture(text: str) -> None:
    assert is_picture(text)


def test_over_is_the_slow_formula() -> None:
    random = np.random.default_rng(1)
    frame, behind = (random.integers(0, 256, (9, 8, channels), np.uint8) for channels in (4, 3))
    alpha = frame[..., 3:] / 255
    slow = np.floor(frame[..., :3] * alpha + behind * (1 - alpha) + 0.5)
    assert np.abs(over(frame, behind) - slow).max() <= 1  # halves are rounded either way
    assert (over(frame, behind) == slow).mean() > 0.98


def test_opaque_and_transparent_pixels_are_exact() -> None:
    frame = np.full((2, 2, 4), (10, 20, 30, 255), np.uint8)
    frame[0, ..., 3] = 0
    shown = over(frame, plain("#c86432", (2, 2)))
    assert shown.tolist() == [[[200, 100, 50]] * 2, [[10, 20, 30]] * 2]


def test_the_old_background_does_not_shine_through_the_edge() -> None:
    side = 64
    columns = np.arange(side)[None] / side
    matte = np.repeat(np.clip((columns - 0.4) / 0.06, 0, 1), side, axis=0)[..., None]
    person, green = np.array([180.0, 120.0, 100.0]), np.array([20.0, 220.0, 40.0])
    picture = np.round(matte * person + (1 - matte) * green).astype(np.uint8)
    cut = cut_out(picture, matte[..., 0])
    edge = (matte[..., 0] > 0.2) & (matte[..., 0] < 0.9)
    assert np.abs(cut[..., :3][edge] - person).max() < 6
    assert np.abs(picture[edge] - person).max() > 40
    np.testing.assert_array_equal(cut[..., 3], np.round(255 * matte[..., 0]))


def test_frames_without_alpha_are_cut_out_by_the_matting() -> None:
    frame = np.full((8, 8, 3), 200, np.uint8)
    compose = Composition(plain("#000000", (8, 8)), lambda picture: np.linspace(0, 1, 8)[None].repeat(len(picture), 0))
    shown = compose(frame)
    assert shown.shape == (8, 8, 3)
    assert shown[3, 0].tolist() == [0, 0, 0]
    assert shown[3, 7].tolist() == [200, 200, 200]
    assert Composition(None, compose.matting)(frame).shape == (8, 8, 4)


def test_transparent_pixels_continue_the_visible_colours() -> None:
    frame = np.zeros((16, 16, 4), np.uint8)
    frame[4:9, 4:9] = (200, 100, 50, 255)
    clean = with_clean_colours(frame)
    assert np.abs(clean[..., :3].astype(int) - (200, 100, 50)).max() <= 1
    np.testing.assert_array_equal(clean[..., 3], frame[..., 3])
    assert with_clean_colours(np.full((4, 4, 4), 3, np.uint8)).max() == 0  # nothing of an invisible picture is kept


@pytest.mark.parametrize(("width", "height"), [(40, 20), (20, 40), (1, 1), (3, 200)])
def test_a_picture_covers_the_frame(width: int, height: int) -> None:
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., 0] = np.linspace(0, 255, width).astype(np.uint8)
    shown = covering(picture, (16, 16))
    assert shown.shape == (16, 16, 3)
    if width == 40:  # the middle half
        assert abs(int(shown[8, 0, 0]) - 64) < 8
        assert abs(int(shown[8, 15, 0]) - 191) < 8
