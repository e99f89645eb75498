"""Arrays in an .npz file whose shapes and sizes are checked before anything is unpacked."""

from __future__ import annotations

import math
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

HEADER_BYTES = 1 << 20
"""Maximum size of the JSON header of a file."""
FRAMES = 10_000_000
"""Maximum number of frames: 11 hours at 250 frames/s."""
COMPRESSION = 100
"""Maximum ratio of unpacked to packed bytes. facepipe does not pack; packed motion gets to about a tenth."""
RATE = re.compile(r"\d{1,9}(\.\d{1,9})?(/\d{1,9})?", re.ASCII)
MAX_RATE = 10_000
MAX_PIXELS = 1e6
"""Largest length of a picture and distance of a face from it, in pixels."""
Shape = tuple[int | None, ...]


class Archive:
    """An open .npz file. Its methods raise ValueError or KeyError for other or damaged content."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.names = [name.removesuffix(".npy") for name in archive.namelist()]

    def header(self) -> bytes:
        """Return the bytes of the array `header`."""
        return self.array("header", (None,), "u", limit=HEADER_BYTES).tobytes()

    def array(self, name: str, shape: Shape, kind: str, *, limit: int = FRAMES) -> NDArray[Any]:
        """Return an array of a shape and a kind of dtype ("f", "b" or "u"); a length None is any up to `limit`."""
        try:
            packed = self._archive.getinfo(f"{name}.npy")
        except KeyError:
            raise KeyError(name) from None
        with self._archive.open(packed) as stream:
            found, fortran, dtype = _description(stream)
            fits = len(found) == len(shape) and all(
                length <= limit if wanted is None else length == wanted
                for length, wanted in zip(found, shape, strict=False)
            )
            if not fits or dtype.kind != kind or dtype.hasobject:
                wanted = "(" + ", ".join("T" if length is None else str(length) for length in shape) + ")"
                raise ValueError(f"{name} is {dtype} of shape {found}, expected shape {wanted}")
            size = math.prod(found) * dtype.itemsize
            if size > COMPRESSION * packed.compress_size + HEADER_BYTES:
                raise ValueError(
                    f"{name} would unpack from {packed.compress_size} to {size} bytes, which is no motion; expected at "
                    f"most {COMPRESSION} times"
                )
            content = stream.read(size)
        if len(content) != size:
            raise ValueError(f"{name} has {len(content)} bytes, expected {size}")
        return np.frombuffer(bytearray(content), dtype).reshape(found, order="F" if fortran else "C")


def _description(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = reader(stream)
    return shape, fortran, dtype


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open an .npz file. Raises OSError, and zipfile.BadZipFile if it is not one."""
    with zipfile.ZipFile(path) as archive:
        yield Archive(archive)


def rate_of(text: object) -> Fraction:
    """Return the frames per second in a header, such as "25" or "30000/1001". Raises ValueError."""
    # Fraction would compute all digits of 1e999999999.
    if not RATE.fullmatch(str(text)) or not 0 < (rate := Fraction(str(text))) <= MAX_RATE:
        raise ValueError(f"the frame rate is {str(text)[:40]!r}, expected frames per second up to {MAX_RATE}")
    return rate


def crop_of(header: Mapping[str, Any]) -> dict[str, float]:
    """Return the square crop in a header. Raises ValueError or KeyError for another."""
    crop = {str(key): float(value) for key, value in header["crop"].items()}
    far = max(abs(crop["center_x"]), abs(crop["center_y"]), crop["side"])
    if not (crop["side"] > 0 and far <= MAX_PIXELS and abs(crop["angle_radians"]) <= 2 * math.pi):
        raise ValueError(f"the crop {crop} is not a square within {MAX_PIXELS:.0f} pixels")
    return crop


def picture_size_of(header: Mapping[str, Any]) -> tuple[int, int]:
    """Return the width and height in a header. Raises ValueError or KeyError for another."""
    width, height = (int(length) for length in header["picture_size"])
    if not (0 < width <= MAX_PIXELS and 0 < height <= MAX_PIXELS):
        raise ValueError(f"the size of the picture is {width}x{height}, expected up to {MAX_PIXELS:.0f} pixels")
    return width, height
