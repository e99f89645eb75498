"""Image files and tensors: every picture becomes uint8 HWC RGB here, and goes to torch and back here."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from facepipe.errors import InputError, UsageError
from facepipe.media.files import check_input, draft_of
from facepipe.media.limits import DEFAULT_LIMITS, MediaLimits
from facepipe.media.origin import xmp_packet

if TYPE_CHECKING:
    import torch

# Pillow knows more, among them EPS, which would start Ghostscript.
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
_ORIENTATION_TAG = 0x0112
_SIDEWAYS = (5, 6, 7, 8)
_WHITE = (255, 255, 255, 255)
_OPENING = threading.Lock()


@dataclass(frozen=True)
class ImageInfo:
    """What an image file holds."""

    width: int
    """Pixels, after the turn that EXIF asks for."""
    height: int
    """Pixels, after the turn that EXIF asks for."""
    mode: str
    """Pillow's name of the pixels, such as "RGB", "CMYK" or "I;16"."""
    format: str
    """Such as "PNG"."""
    frame_count: int
    """1 for a still image."""


@contextmanager
def open_image(path: Path, limits: MediaLimits = DEFAULT_LIMITS) -> Iterator[Image.Image]:
    """Open an image and check its size before any pixel is decoded; what Pillow raises meanwhile becomes InputError."""
    check_input(path)
    try:
        with path.open("rb") as file, _open(file) as image:
            limits.check_pixels(path, image.width, image.height)
            yield image
    except UnidentifiedImageError as error:
        raise InputError(
            f"{path}: is not an image that can be read; give a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF file "
            "(HEIC must be converted first)"
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise InputError(f"{path}: is a damaged image ({error}); copy or export it again") from error


def _open(file: io.BufferedReader) -> Image.Image:
    # Pillow's own bound is a variable of its module, and warns or raises without naming our flag.
    with _OPENING, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        bound, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            # A Pillow built without AVIF does not know its name.
            Image.init()
            return Image.open(file, formats=[kind for kind in _FORMATS if kind in Image.OPEN])
        finally:
            Image.MAX_IMAGE_PIXELS = bound


def probe_image(path: Path, limits: MediaLimits = DEFAULT_LIMITS) -> ImageInfo:
    """Describe an image without decoding it. Raises InputError if it is none, is damaged, or exceeds `limits`."""
    with open_image(path, limits) as image:
        width, height = image.size
        # Pillow would decode a PNG to look for EXIF behind its pixels.
        known = image.format != "PNG" or "exif" in image.info
        if known and image.getexif().get(_ORIENTATION_TAG) in _SIDEWAYS:
            width, height = height, width
        return ImageInfo(width, height, image.mode, str(image.format), int(getattr(image, "n_frames", 1)))


def read_image(path: Path, limits: MediaLimits = DEFAULT_LIMITS) -> np.ndarray:
    """Read an image as (height, width, 3) uint8 RGB.

    It is turned as EXIF asks, laid over white where it is transparent, brought to sRGB if it carries another profile;
    grey, 16-bit, palette and CMYK pictures become RGB; of an animation the first frame is taken.
    Raises InputError if it is no image, is damaged, or exceeds `limits`.
    """
    with open_image(path, limits) as image:
        upright = ImageOps.exif_transpose(image)
        return np.array(flatten(upright))


def flatten(image: Image.Image) -> Image.Image:
    """Return a picture of any mode as RGB: 8 bits, sRGB, over white."""
    if image.mode.startswith("I") or image.mode == "F":
        return _eight_bits(image).convert("RGB")
    image = _to_srgb(image)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        over = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", over.size, _WHITE), over).convert("RGB")
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Bring grey of 16 or 32 bits or of floats to 8 bits; floats are taken as [0, 1] unless they go beyond."""
    grey = np.asarray(image).astype(np.float64)
    top = 65535.0 if image.mode != "F" else 1.0
    if grey.max(initial=0.0) > top or (image.mode == "I" and grey.max(initial=0.0) <= 255):
        top = 255.0 if image.mode != "I" or grey.max(initial=0.0) <= 255 else float(grey.max())
    return Image.fromarray(np.rint(np.clip(grey / top, 0, 1) * 255).astype(np.uint8))


def _to_srgb(image: Image.Image) -> Image.Image:
    """Convert a picture that carries a colour profile other than sRGB; one with a broken profile stays as it is."""
    profile_bytes = image.info.get("icc_profile")
    if not profile_bytes or image.mode not in ("RGB", "CMYK", "L"):
        return image
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(profile_bytes))
        if "sRGB" in ImageCms.getProfileDescription(profile):
            return image
        converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    return image if converted is None else converted


def write_image(
    path: Path, pixels: np.ndarray, *, quality: int = 90, metadata: Mapping[str, str] | None = None
) -> None:
    """Write (height, width, 3) uint8 RGB as PNG, JPEG or WebP, chosen by the suffix; the file appears whole or not.

    `quality` (0-100) is for JPEG and WebP. Of `metadata`, all is stored in a PNG, and the origin in each as XMP.
    Raises UsageError for another suffix, DiskError if it cannot be written.
    """
    check_pixels(pixels)
    image, suffix = Image.fromarray(pixels), path.suffix.lower()
    if suffix not in (".png", ".jpg", ".jpeg", ".webp"):
        raise UsageError(f"{path}: cannot write images of kind {suffix or '(no suffix)'!r}; use .png, .jpg or .webp")
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


def as_jpeg(pixels: np.ndarray) -> bytes:
    """Return (height, width, 3) uint8 RGB as the bytes of a JPEG file, at Pillow's own quality."""
    check_pixels(pixels)
    with io.BytesIO() as file:
        Image.fromarray(pixels).save(file, "JPEG")
        return file.getvalue()


def resize(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bring (height, width, 3) uint8 RGB to another (width, height), bicubic; smaller ones are filtered first."""
    check_pixels(pixels)
    return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def check_pixels(pixels: np.ndarray) -> None:
    """Raise ValueError unless `pixels` is (height, width, 3) uint8."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise ValueError(f"got an array of {pixels.dtype} {pixels.shape}, expected uint8 (height, width, 3)")


def to_tensor(pixels: np.ndarray) -> torch.Tensor:
    """Turn uint8 RGB (..., height, width, 3) into float32 RGB (..., 3, height, width) in [-1, 1]."""
    import torch

    if pixels.dtype != np.uint8 or pixels.ndim < 3 or pixels.shape[-1] != 3:
        raise ValueError(f"got an array of {pixels.dtype} {pixels.shape}, expected uint8 (..., height, width, 3)")
    channels_first = torch.from_numpy(np.ascontiguousarray(pixels)).movedim(-1, -3)
    return channels_first.to(torch.float32).div_(127.5).sub_(1.0)


def from_tensor(picture: torch.Tensor) -> np.ndarray:
    """Turn RGB (..., 3, height, width) in [-1, 1] into uint8 RGB (..., height, width, 3); values beyond are clamped."""
    import torch

    if picture.ndim < 3 or picture.shape[-3] != 3:
        raise ValueError(f"got a tensor of {tuple(picture.shape)}, expected (..., 3, height, width)")
    scaled = picture.detach().to(torch.float32).add(1.0).mul_(127.5).round_().clamp_(0, 255)
    pixels: np.ndarray = scaled.movedim(-3, -1).to(torch.uint8).cpu().contiguous().numpy()
    return pixels
