"""Key stills: bytes against quality, and damaged streams."""

import numpy as np
import pytest

from facepipe.errors import InputError
from facepipe.media.stills_codec import COARSEST, decode_still, encode_still, fit_still


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """A photograph of 128x128 pixels."""
    from skimage import data

    return np.ascontiguousarray(data.astronaut()[:256:2, 96:352:2])  # type: ignore[no-untyped-call]


def _psnr(one: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2)))


def test_more_bytes_are_more_like_the_picture(picture: np.ndarray) -> None:
    streams = [encode_still(picture, quantiser) for quantiser in (60, 40, 20)]
    quality = [_psnr(decode_still(stream, 128), picture) for stream in streams]
    assert sorted(map(len, streams)) == [len(stream) for stream in streams]
    assert quality == sorted(quality)
    assert quality[-1] > 32


def test_the_same_picture_gives_the_same_bytes_without_a_container(picture: np.ndarray) -> None:
    first = encode_still(picture, 50)
    assert first == encode_still(picture, 50)
    # The header of a sequence (OBU type 1, with a size), not a file type box nor a temporal delimiter.
    assert first[0] == 0x0A


def test_fitting_finds_the_finest_still_within_the_bytes(picture: np.ndarray) -> None:
    still = fit_still(picture, 700)
    every = [encode_still(picture, quantiser) for quantiser in range(30, 64, 3)]
    assert len(still) <= 700
    assert len(still) >= max(len(one) for one in every if len(one) <= 700)
    assert fit_still(picture, 1) == encode_still(picture, COARSEST)


@pytest.mark.parametrize("damage", ["empty", "cut", "foreign"])
def test_a_damaged_still_is_an_input_error(picture: np.ndarray, damage: str) -> None:
    stream = encode_still(picture, 50)
    broken = {"empty": b"", "cut": stream[:40], "foreign": b"\x89PNG\r\n" + bytes(400)}[damage]
    with pytest.raises(InputError, match="damaged"):
        decode_still(broken, 128)


def test_a_still_of_another_size_is_scaled(picture: np.ndarray) -> None:
    drawn = decode_still(encode_still(picture, 20), 64)
    assert drawn.shape == (64, 64, 3)
    assert abs(float(drawn.mean()) - float(picture.mean())) < 2
