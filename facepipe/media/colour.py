"""The colours of a video: what its tags mean, and the ffmpeg filters that convert it to sRGB (docs/media.md)."""

import re
from dataclasses import dataclass

from facepipe.engine.remark import Remark
from facepipe.errors import ToolError

# Their code values are shown on an sRGB display unchanged, as players do.
_DISPLAYED = (
    *("bt709", "smpte170m", "smpte240m", "bt470m", "bt470bg", "bt1361e"),
    *("iec61966-2-1", "iec61966-2-4", "bt2020-10", "bt2020-12"),
)
_HDR = {"smpte2084": "PQ", "arib-std-b67": "HLG"}
_CONVERTED = ("linear", "log100", "log316")
_WIDE = {"bt2020": "BT.2020", "smpte431": "DCI-P3", "smpte432": "Display P3"}
# swscale knows these matrices, zscale those of `_BY_ZSCALE` as well. Others cannot be converted.
_BY_SWSCALE = ("bt709", "fcc", "bt470bg", "smpte170m", "smpte240m", "bt2020nc")
_BY_ZSCALE = ("ycgco", "bt2020c", "chroma-derived-nc", "chroma-derived-c", "ictcp")
_ALPHA = re.compile(r"yuva|rgba|argb|bgra|abgr|gbrap|ya(?:8|16|f)|ayuv|vuya|uyva")
_DEEP = re.compile(r"(?:p|p0|gray)(?:9|10|12|14|16)[lb]e$")

# Luminance of reference white (ITU-R BT.2408), which becomes the value 1 of linear light.
WHITE_NITS = 203
# Linear light up to the knee is unchanged; above it, brightness up to the maximum of PQ is compressed into the rest, by
# the brightest channel, so that hues stay. 203 nit become 237 of 255, 1,000 nit 252.
KNEE = 0.7
MAX_NITS = 10_000


@dataclass(frozen=True)
class Colours:
    """The colour tags of a video stream, by ffmpeg's names; an empty one is not tagged."""

    pixel_format: str = ""
    """Such as "yuv420p10le"."""
    transfer: str = ""
    """Transfer function, such as "bt709", "smpte2084" (PQ) or "arib-std-b67" (HLG)."""
    matrix: str = ""
    """Matrix, such as "bt709" or "bt2020nc"."""
    primaries: str = ""
    """Primaries, such as "bt709" or "bt2020"."""
    dolby_vision_profile: int = 0
    """0 if there is none."""

    @property
    def is_hdr(self) -> bool:
        """True if the transfer function is PQ or HLG, so that frames are tone-mapped."""
        return self.transfer in _HDR

    @property
    def refusal(self) -> str:
        """The reason why the colours cannot be converted; empty if they can."""
        if self.dolby_vision_profile == 5:
            return "is Dolby Vision of profile 5, whose colours only a Dolby Vision decoder can read"
        if self._is_yuv and self.matrix not in ("", "gbr", *_BY_SWSCALE, *_BY_ZSCALE):
            return f"has colours in the matrix {self.matrix}, which ffmpeg's filters cannot convert"
        return ""

    @property
    def by_zscale(self) -> bool:
        """True if `filters` returns filters, whose results are planar RGB; False if swscale converts the colours."""
        known = self.is_hdr or self.transfer in _CONVERTED or self.primaries in _WIDE
        return known or (self._is_yuv and self.matrix in _BY_ZSCALE)

    @property
    def has_alpha(self) -> bool:
        """True if the pixel format has an alpha channel."""
        return bool(_ALPHA.match(self.pixel_format))

    @property
    def _is_yuv(self) -> bool:
        return self.pixel_format.startswith(("yuv", "p0", "p2", "p4", "nv", "uyvy", "vyu", "xv", "y2"))

    def filters(self, available: frozenset[str], height: int) -> list[str]:
        """Return the filters that convert the colours to sRGB in planar RGB; none if swscale converts them.

        `available` are the filters that ffmpeg has. Raises ToolError if one that is needed is missing.
        """
        if not self.by_zscale:
            return []
        self._check(available)
        matrix = (self._matrix(height) if self._is_yuv else "gbr") or "bt709"
        primaries = self.primaries if self.primaries in _WIDE else "bt2020" if self.is_hdr else "bt709"
        given = f"min={matrix}:pin={primaries}"
        if self.is_hdr:
            # To the curve of a video display, from which such a video was mastered: bt709 means BT.1886 to zscale.
            linear = f"zscale={given}:tin={self.transfer}:t=linear:npl={WHITE_NITS}:m=gbr,format=gbrpf32le"
            curve = f"tonemap=tonemap=mobius:param={KNEE}:peak={MAX_NITS / WHITE_NITS:.3f}:desat=0"
            return [f"{linear},zscale=p=bt709,{curve},zscale=t=bt709:r=full,format=gbrp"]
        ends = ("bt709", "bt709")
        if self.transfer in _CONVERTED:
            ends = (self.transfer, "iec61966-2-1")
        return [f"zscale={given}:tin={ends[0]}:t={ends[1]}:p=bt709:m=gbr:r=full,format=gbrp"]

    def _check(self, available: frozenset[str]) -> None:
        missing = ({"zscale", "tonemap"} if self.is_hdr else {"zscale"}) - available
        if not missing:
            return
        what = f"HDR ({self.transfer})" if self.is_hdr else f"in other colours than sRGB ({self._name()})"
        raise ToolError(
            f"the video is {what}, and this ffmpeg has no filter {' and '.join(sorted(missing))} "
            "to convert it to standard range; install a full ffmpeg, or convert the video to SDR first"
        )

    def _matrix(self, height: int) -> str:
        """Return the matrix; that of untagged video is bt2020nc if it is HDR, else bt709 from 720 lines on."""
        if self.matrix and self.matrix != "gbr":
            return self.matrix
        return "bt2020nc" if self.is_hdr else "bt709" if height >= 720 else "smpte170m"

    def scale_option(self, height: int) -> str:
        """Return the option of the filter `scale` for the matrix of the frames after `filters`."""
        if self.by_zscale or not self._is_yuv or (self.matrix and self.matrix != "gbr"):
            return "in_color_matrix=auto"
        return f"in_color_matrix={self._matrix(height)}"

    def _name(self) -> str:
        tags = {"transfer": self.transfer, "primaries": self.primaries, "matrix": self.matrix}
        told = [f"{kind} {tag}" for kind, tag in tags.items() if tag in (*_CONVERTED, *_WIDE, *_BY_ZSCALE)]
        return ", ".join(told)

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """A remark if colours are converted beyond what every video needs, or if they have to be guessed."""
        remarks = []
        if self.is_hdr:
            remarks.append(Remark("hdr", f"HDR ({_HDR[self.transfer]}), tone-mapped to standard range"))
        elif self.by_zscale:
            remarks.append(Remark("colours-converted", f"colours of another space ({self._name()}), converted to sRGB"))
        if self.transfer and self.transfer not in (*_DISPLAYED, *_HDR, *_CONVERTED):
            text = f"transfer function {self.transfer} is taken as bt709; brightness may be wrong"
            remarks.append(Remark("colours-unknown", text))
        elif not self.transfer and (self.primaries in _WIDE or _DEEP.search(self.pixel_format)):
            why = _WIDE.get(self.primaries, "more than 8 bits per sample")
            text = f"{why} without a transfer function, taken as bt709; if it is HDR, it comes out pale: tag it first"
            remarks.append(Remark("colours-guessed", text))
        return tuple(remarks)


UNTAGGED = Colours()

TRANSPARENCY = Remark("transparency", "has transparency, composed over white")
"""The remark on a picture or video with transparency."""
