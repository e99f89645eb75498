"""Transparency of a video: the decoder and the filters that show it over white, as still pictures are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from facepipe.errors import ToolError
from facepipe.media import ffmpeg
from facepipe.media.info import VideoInfo

ACCURATE = "flags=bicubic+accurate_rnd+full_chroma_int"
"""The option of the filter `scale` for an accurate conversion to RGB."""
# In WebM the alpha channel is a second stream inside the packets, which only these decoders read.
_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
# Colours that are hidden in transparent pixels must not reach others, so this precedes any scaling.
_OVER_WHITE = "split[fore][back];[back]lutrgb=r=255:g=255:b=255:a=255[white];[white][fore]overlay=format=gbrp"


def decoder_option(info: VideoInfo) -> dict[str, Any]:
    """Return the input option that chooses a decoder which reads the alpha channel; none if the default one does.

    Raises ToolError if ffmpeg does not have it.
    """
    if not info.has_alpha or info.colours.has_alpha or info.codec not in _DECODERS:
        return {}
    decoder = _DECODERS[info.codec]
    if decoder not in ffmpeg.decoders(ffmpeg.find_ffmpeg()):
        raise ToolError(
            f"the video has transparency ({info.codec}), and this ffmpeg has no decoder {decoder} to read it; install "
            "a full ffmpeg, or convert the video to one without transparency first"
        )
    return {"c:v": decoder}


def over_white(info: VideoInfo, colour_steps: Sequence[str]) -> list[str]:
    """Return the filters that convert frames to planar RGB and compose them over white. Alpha is taken as straight.

    `colour_steps` convert the colours to planar RGB without alpha; if empty, swscale does.
    """
    if not colour_steps:
        return [f"scale=iw:ih:{info.colours.scale_option(info.height)}:{ACCURATE},format=gbrap,{_OVER_WHITE}"]
    # zscale would multiply the colours by alpha.
    converted = ",".join([f"format={_opaque(info.colours.pixel_format)}", *colour_steps])
    return [
        f"split[colour][alpha];[alpha]alphaextract,format=gray[mask];[colour]{converted}[rgb];"
        f"[rgb][mask]alphamerge,format=gbrap,{_OVER_WHITE}"
    ]


def _opaque(pixel_format: str) -> str:
    """Return the pixel format without the alpha channel, with as many bits."""
    if pixel_format.startswith(("yuva", "gbrap")):
        return pixel_format.replace("yuva", "yuv", 1).replace("gbrap", "gbrp", 1)
    return "gbrp" if pixel_format in ("rgba", "argb", "bgra", "abgr", "ya8") else "gbrp16le"
