"""Pixels of a Pillow image of any mode as 8-bit sRGB over white. Large pictures are converted in strips."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageCms

from facepipe.engine.remark import Remark
from facepipe.media.cicp import CodePoints
from facepipe.media.colour import TRANSPARENCY

_STRIP_PIXELS = 1 << 22
_WHITE = (255, 255, 255, 255)
_ALPHA = {"RGBA": "RGB", "RGBa": "RGB", "PA": "RGB", "LA": "L", "La": "L"}
# The mode that a profile of a colour space applies to, by Pillow's and littleCMS's names.
_MODE_OF_SPACE = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}
_CONVERTED = ("colours-converted", "converted to sRGB")
_DEEP_TOPS = (1.0, 255.0, 65535.0)


class Conversion:
    """The way of one image to sRGB. Its remarks say what is converted or guessed."""

    def __init__(self, image: Image.Image, code_points: CodePoints | None = None) -> None:
        """Plan the conversion of a loaded image. Its code points win over a profile if they say that it is HDR."""
        self.remarks: list[Remark] = []
        self._image = image
        self._top = self._find_top() if _is_deep(image) else 0.0
        self._mode = "RGB"
        profile = image.info.get("icc_profile") or b""
        self._points = code_points if code_points and (code_points.is_hdr or not profile) else None
        self._transform = None if self._points else self._find_transform(profile)
        if self._points:
            code, rest = ("hdr", "tone-mapped to standard range") if self._points.is_hdr else _CONVERTED
            self.remarks.append(Remark(code, f"colours in {self._points.name}, {rest}"))
        if self._transform is None and image.mode == "CMYK":
            text = "CMYK without a usable colour profile, converted by a formula; colours may differ from print"
            self.remarks.append(Remark("colours-guessed", text))

    def array(self) -> np.ndarray:
        """Return the whole image as (height, width, 3) uint8."""
        width, height = self._image.size
        whole = np.empty((height, width, 3), np.uint8)
        rows = max(_STRIP_PIXELS // width, 1)
        for top in range(0, height, rows):
            whole[top : top + rows] = np.asarray(
                self._convert(self._image.crop((0, top, width, min(top + rows, height))))
            )
        return whole

    def _convert(self, strip: Image.Image) -> Image.Image:
        if _is_deep(strip):
            strip = _eight_bits(strip, self._top)
        alpha = None
        if _may_be_transparent(strip):
            strip = strip.convert("RGBA")
            alpha = strip.getchannel("A")
            self._say_transparency(alpha)
        if self._transform is not None:
            strip = ImageCms.applyTransform(strip.convert(self._mode), self._transform) or strip
        strip = strip.convert("RGB")
        if self._points:
            strip = Image.fromarray(self._points.to_srgb(np.asarray(strip)))
        if alpha is None:
            return strip
        strip.putalpha(alpha)
        return Image.alpha_composite(Image.new("RGBA", strip.size, _WHITE), strip).convert("RGB")

    def _say_transparency(self, alpha: Image.Image) -> None:
        if TRANSPARENCY not in self.remarks and _hides(alpha):
            self.remarks.append(TRANSPARENCY)

    def _find_top(self) -> float:
        """Return the sample value of white. That of 32-bit and float pictures is guessed from the largest sample."""
        if self._image.mode.startswith("I;"):
            self.remarks.append(Remark("depth-reduced", "16 bits per sample, reduced to 8"))
            return 65535.0
        largest = max(float(np.nanmax(strip, initial=0.0)) for strip in _strips(self._image))
        least = 1.0 if self._image.mode == "F" else 255.0
        top = next((top for top in _DEEP_TOPS if max(largest, least) <= top), largest)
        kind = "floats" if self._image.mode == "F" else "integers of 32 bits"
        self.remarks.append(Remark("depth-reduced", f"samples are {kind}; 0 is taken as black and {top:g} as white"))
        return top

    def _find_transform(self, profile_bytes: bytes) -> ImageCms.ImageCmsTransform | None:
        """Return the transform to sRGB of an image with a profile of another colour space; None if it needs none."""
        if not profile_bytes:
            return None
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(profile_bytes))
            name = ImageCms.getProfileDescription(profile).strip()
            if "sRGB" in name:
                return None
            self._mode = self._mode_for(profile.profile.xcolor_space.strip())
            target = ImageCms.createProfile("sRGB")
            transform = ImageCms.buildTransform(profile, target, self._mode, "RGB")
        except (ImageCms.PyCMSError, OSError, ValueError) as error:
            reason = str(error).strip() or "it cannot be read"
            self.remarks.append(Remark("profile-ignored", f"the colour profile is not usable ({reason}); sRGB assumed"))
            return None
        self.remarks.append(
            Remark("colours-converted", f"colour profile {name or 'without a name'}, converted to sRGB")
        )
        return transform

    def _mode_for(self, space: str) -> str:
        """Return the mode to which a profile of a colour space applies. Raises ValueError if the image has another."""
        mode = _MODE_OF_SPACE.get(space, "")
        grey, special = self._image.mode in ("1", "L", "LA", "La") or _is_deep(self._image), ("CMYK", "LAB")
        fits = mode == self._image.mode if mode in special or self._image.mode in special else bool(mode)
        if not fits or (mode == "L" and not grey):
            raise ValueError(f"it is for {space}, the picture is {self._image.mode}")
        return mode


def is_transparent(image: Image.Image) -> bool:
    """Return whether any pixel of a loaded image is transparent, at least in part."""
    return _may_be_transparent(image) and _hides(image.convert("RGBA").getchannel("A"))


def _hides(alpha: Image.Image) -> bool:
    """Return whether an alpha channel of 8 bits has a value below the opaque one."""
    return any(alpha.histogram()[:255])


def _may_be_transparent(image: Image.Image) -> bool:
    return image.mode in _ALPHA or "transparency" in image.info


def _is_deep(image: Image.Image) -> bool:
    return image.mode.startswith("I") or image.mode == "F"


def _strips(image: Image.Image) -> Iterator[np.ndarray]:
    rows = max(_STRIP_PIXELS // image.width, 1)
    for top in range(0, image.height, rows):
        yield np.asarray(image.crop((0, top, image.width, min(top + rows, image.height))))


def _eight_bits(strip: Image.Image, top: float) -> Image.Image:
    grey = np.nan_to_num(np.asarray(strip).astype(np.float32))
    return Image.fromarray(np.rint(np.clip(grey / np.float32(top), 0, 1) * 255).astype(np.uint8))
