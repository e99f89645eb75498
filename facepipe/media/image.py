"""Image files and tensors: reads every picture as uint8 HWC RGB, and converts to torch tensors and back."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from facepipe.engine.remark import Remark
from facepipe.errors import InputError, UsageError
from facepipe.media.cicp import code_points_of
from facepipe.media.files import check_input, draft_of
from facepipe.media.limits import DEFAULT_LIMITS, MediaLimits
from facepipe.media.origin import xmp_packet
from facepipe.media.sequence import after_jpeg
from facepipe.media.srgb import Conversion

if TYPE_CHECKING:
    import torch

# Pillow supports more, among them EPS, which would run Ghostscript.
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
_ORIENTATION_TAG = 0x0112
_SIDEWAYS = (5, 6, 7, 8)
# From the stored picture to the upright one, by the value of the tag.
_UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: np.rot90(pixels),
}
_OPENING = threading.Lock()


@dataclass(frozen=True)
class ImageInfo:
    """The description of an image file."""

    width: int
    """Pixels, after the EXIF rotation."""
    height: int
    """Pixels, after the EXIF rotation."""
    mode: str
    """Pillow's mode, such as "RGB", "CMYK" or "I;16"."""
    format: str
    """Pillow's format, such as "PNG"."""
    frame_count: int
    """1 for a still image."""


@contextmanager
def open_image(path: Path, limits: MediaLimits = DEFAULT_LIMITS) -> Iterator[Image.Image]:
    """Open an image and check its size before any pixel is decoded. Errors of Pillow become InputError."""
    check_input(path)
    try:
        with path.open("rb") as file, _open(file) as image:
            limits.check_pixels(path, image.width, image.height)
            yield image
    except UnidentifiedImageError as error:
        raise InputError(
            f"{path}: is not an image of a supported format; give a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF file "
            "(HEIC must be converted first)"
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise InputError(f"{path}: is a damaged image ({error}); copy or export it again") from error


def _open(file: io.BufferedReader) -> Image.Image:
    # Pillow's own limit is a module variable, and its message does not name --max-pixels.
    with _OPENING, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        bound, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            # A Pillow built without AVIF raises for this name.
            Image.init()
            return Image.open(file, formats=[kind for kind in _FORMATS if kind in Image.OPEN])
        finally:
            Image.MAX_IMAGE_PIXELS = bound


def probe_image(path: Path, limits: MediaLimits = DEFAULT_LIMITS) -> ImageInfo:
    """Describe an image without decoding it. Raises InputError if it is not an image, damaged, or exceeds `limits`."""
    with open_image(path, limits) as image:
        width, height = image.size
        # For a PNG, getexif would decode the pixels to find EXIF data after them.
        known = image.format != "PNG" or "exif" in image.info
        if known and image.getexif().get(_ORIENTATION_TAG) in _SIDEWAYS:
            width, height = height, width
        return ImageInfo(width, height, image.mode, str(image.format), int(getattr(image, "n_frames", 1)))


@dataclass(frozen=True)
class Picture:
    """The pixels of an image file."""

    pixels: np.ndarray
    """(height, width, 3) uint8 sRGB."""
    remarks: tuple[Remark, ...]
    """What was converted, guessed or left out to get them."""


def read_picture(path: Path, limits: MediaLimits = DEFAULT_LIMITS) -> Picture:
    """Read an image of any mode as sRGB.

    The EXIF rotation is applied, transparency is composed over white, and a colour profile other than sRGB is
    converted. Grey, 16-bit, palette, CMYK and Lab pictures become RGB. Of several pictures in a file the first is read.
    Raises InputError if it is not an image, damaged, or exceeds `limits`.
    """
    with open_image(path, limits) as image:
        # Known only before the pixels are decoded.
        deep = any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))
        image.load()
        conversion = Conversion(image, code_points_of(path, str(image.format)))
        pixels = conversion.array()
        remarks = [*conversion.remarks, *_others(path, image)]
        if deep and not any(remark.code == "depth-reduced" for remark in remarks):
            remarks.append(Remark("depth-reduced", "16 bits per sample, reduced to 8"))
        turn = image.getexif().get(_ORIENTATION_TAG, 1)
    return Picture(np.ascontiguousarray(_UPRIGHT.get(turn, np.asarray)(pixels)), tuple(remarks))


def _others(path: Path, image: Image.Image) -> list[Remark]:
    """Return a remark if the file holds other pictures, or a video."""
    count = getattr(image, "n_frames", 1)
    if count > 1:
        return [Remark("first-picture", f"holds {count} pictures; the first is used")]
    follows = after_jpeg(path) if image.format == "JPEG" else ""
    if follows == "video":
        return [Remark("first-picture", "holds a video after its picture; the picture is used")]
    if follows:
        return [Remark("first-picture", "holds further pictures, as Motion JPEG does; the first is used")]
    return []


def read_image(path: Path, limits: MediaLimits = DEFAULT_LIMITS) -> np.ndarray:
    """Return the pixels of `read_picture`: (height, width, 3) uint8 sRGB."""
    return read_picture(path, limits).pixels


def write_image(
    path: Path, pixels: np.ndarray, *, quality: int = 90, metadata: Mapping[str, str] | None = None
) -> None:
    """Write (height, width, 3) uint8 RGB atomically as PNG, JPEG or WebP, chosen by the suffix.

    A PNG or WebP may have a fourth channel, straight alpha.
    `quality` (0-100) applies to JPEG and WebP. The origin in `metadata` is stored as XMP; a PNG also stores all of
    `metadata` as text chunks. Raises UsageError for another suffix, DiskError if the file cannot be written.
    """
    suffix = path.suffix.lower()
    check_pixels(pixels[..., :3] if suffix in (".png", ".webp") and pixels.shape[-1] == 4 else pixels)
    image = Image.fromarray(pixels)
    if suffix not in (".png", ".jpg", ".jpeg", ".webp"):
        raise UsageError(f"{path}: cannot write images of type {suffix or '(no suffix)'!r}; use .png, .jpg or .webp")
    xmp = xmp_packet(metadata or {})
    packet = {"xmp": xmp.encode()} if xmp else {}
    with draft_of(path) as draft:
        if suffix == ".png":
            chunks = PngInfo()
            for key, value in {**(metadata or {}), **({"XML:com.adobe.xmp": xmp} if xmp else {})}.items():
                chunks.add_itxt(key, value)
            image.save(draft, "PNG", pnginfo=chunks, compress_level=4)
        elif suffix == ".webp":
            image.save(draft, "WEBP", quality=quality, **packet)
        else:
            image.save(draft, "JPEG", quality=quality, subsampling=0, **packet)


def write_grey(path: Path, levels: np.ndarray) -> None:
    """Write (height, width) uint8 atomically as a grey PNG. Raises DiskError if the file cannot be written."""
    with draft_of(path) as draft:
        Image.fromarray(levels, "L").save(draft, "PNG", compress_level=4)


def as_jpeg(pixels: np.ndarray) -> bytes:
    """Encode (height, width, 3) uint8 RGB as a JPEG file at Pillow's default quality."""
    check_pixels(pixels)
    with io.BytesIO() as file:
        Image.fromarray(pixels).save(file, "JPEG")
        return file.getvalue()


def as_png(pixels: np.ndarray) -> bytes:
    """Encode (height, width, 3) uint8 RGB as a PNG file without metadata."""
    check_pixels(pixels)
    with io.BytesIO() as file:
        Image.fromarray(pixels).save(file, "PNG")
        return file.getvalue()


def resize(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize (height, width, 3) uint8 RGB to `size` (width, height), bicubic with antialiasing."""
    check_pixels(pixels)
    return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def check_pixels(pixels: np.ndarray) -> None:
    """Raise ValueError unless `pixels` is (height, width, 3) uint8."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise ValueError(f"got an array of {pixels.dtype} {pixels.shape}, expected uint8 (height, width, 3)")


def to_tensor(pixels: np.ndarray) -> torch.Tensor:
    """Convert uint8 RGB (..., height, width, 3) to float32 RGB (..., 3, height, width) in [-1, 1]."""
    import torch

    if pixels.dtype != np.uint8 or pixels.ndim < 3 or pixels.shape[-1] != 3:
        raise ValueError(f"got an array of {pixels.dtype} {pixels.shape}, expected uint8 (..., height, width, 3)")
    channels_first = torch.from_numpy(np.ascontiguousarray(pixels)).movedim(-1, -3)
    return channels_first.to(torch.float32).div_(127.5).sub_(1.0)


def from_tensor(picture: torch.Tensor) -> np.ndarray:
    """Convert RGB (..., 3, height, width) in [-1, 1], clamped, to uint8 RGB (..., height, width, 3)."""
    import torch

    if picture.ndim < 3 or picture.shape[-3] != 3:
        raise ValueError(f"got a tensor of {tuple(picture.shape)}, expected (..., 3, height, width)")
    scaled = picture.detach().to(torch.float32).add(1.0).mul_(127.5).round_().clamp_(0, 255)
    pixels: np.ndarray = scaled.movedim(-3, -1).to(torch.uint8).cpu().contiguous().numpy()
    return pixels
