"""Backgrounds: their names, and frames over them."""

import cv2
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


PERSON, GREEN = np.array([180.0, 120.0, 100.0]), np.array([20.0, 220.0, 40.0])


def edge_of(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture of a person at the right of a green background, with a soft edge, and its matte."""
    columns = np.arange(side)[None] / side
    matte = np.repeat(np.clip((columns - 0.4) / 0.06, 0, 1), side, axis=0)
    share = matte[..., None]
    return np.round(share * PERSON + (1 - share) * GREEN).astype(np.uint8), matte


@pytest.mark.parametrize("side", [64, 300])
def test_the_old_background_does_not_shine_through_the_edge(side: int) -> None:
    picture, matte = edge_of(side)
    cut = cut_out(picture, matte)
    edge = (matte > 0.2) & (matte < 0.9)
    assert np.abs(cut[..., :3][edge] - PERSON).max() < 6
    assert np.abs(picture[edge] - PERSON).max() > 40
    np.testing.assert_allclose(cut[..., 3], 255 * matte, atol=0.51)
    np.testing.assert_array_equal(cut[matte == 1, :3], picture[matte == 1])


def slowly_cut_out(picture: np.ndarray, matte: np.ndarray) -> np.ndarray:
    """Return the colours of the person from blurs of the whole picture."""
    image, alpha = picture.astype(np.float64), matte[..., None]
    front, back = image, image

    def mean(colours: np.ndarray, weights: np.ndarray, side: int) -> np.ndarray:
        sums = (cv2.blur(part, (side, side), borderType=cv2.BORDER_REPLICATE) for part in (colours * weights, weights))
        total, weight = sums
        return np.asarray(total / (weight.reshape(alpha.shape) + 1e-5))

    for ratio in (0.15, 0.03):
        side = 2 * round(ratio * len(picture)) + 1
        front, back = mean(front, alpha**2, side), mean(back, (1 - alpha) ** 2, side)
        front = np.clip(front + alpha * (image - alpha * front - (1 - alpha) * back), 0, 255)
    return front


def test_the_blurs_of_a_reduced_picture_are_those_of_the_whole() -> None:
    """On a textured person before a textured background; without the estimate, the error is ten times as large."""
    random, (_, matte) = np.random.default_rng(0), edge_of(512)
    texture = cv2.resize(
        random.integers(-40, 40, (32, 32, 3)).astype(np.float64), (512, 512), interpolation=cv2.INTER_CUBIC
    )
    share = matte[..., None]
    picture = np.clip(share * (PERSON + texture) + (1 - share) * (GREEN - texture), 0, 255).round().astype(np.uint8)
    edge = (matte > 0) & (matte < 1)
    slow, fast = slowly_cut_out(picture, matte), cut_out(picture, matte)[..., :3]
    error = np.abs(fast - slow)[edge].mean()
    assert 10 * error < np.abs(picture - slow)[edge].mean()


def test_frames_that_show_the_old_background_lose_it() -> None:
    """Over a colour the green vanishes; over the portrait's own background, what is behind a haze stands still."""
    picture, matte = edge_of(64)
    frame = np.dstack([picture, np.round(255 * np.clip(matte, 0.06, 0.97)).astype(np.uint8)])
    behind = plain("#0000c8", (64, 64))
    shown, plainly = (Composition(behind, mixed=mixed)(frame).astype(int) for mixed in (True, False))
    edge = (matte > 0.15) & (matte < 0.85)
    green = [(made[..., 1] - PERSON[1] * np.clip((matte - 0.1) / 0.8, 0, 1))[edge].max() for made in (shown, plainly)]
    assert green[0] < 12
    assert green[1] > 25
    assert (shown[:, :20] == (0, 0, 200)).all()
    assert (plainly[:, :20, 1] > 10).all()
    own = Composition(behind, own=True, mixed=True)(frame)
    assert (own[:, :20] == (0, 0, 200)).all()
    np.testing.assert_array_equal(own[matte > 0.6], picture[matte > 0.6])


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
