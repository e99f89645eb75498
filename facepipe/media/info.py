"""The description of a video."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from facepipe.engine.remark import Remark

_HDR_TRANSFERS = {"smpte2084": "PQ", "arib-std-b67": "HLG"}


@dataclass(frozen=True)
class VideoInfo:
    """The properties of a video as `decode_frames` yields it."""

    width: int
    """Square pixels, after rotation."""
    height: int
    """Pixels, after rotation."""
    fps: Fraction
    """Exact frames per second; for a variable rate the constant rate it is resampled to."""
    frame_count_estimate: int
    """Number of frames at `fps`: exact for a constant rate, within one or two for a variable one."""
    duration_seconds: float
    """Duration of the video stream."""
    has_sound: bool
    """True if there is a sound stream."""
    sound_codec: str = ""
    """ffmpeg's name, such as "aac"; empty without sound."""
    rotation_degrees: int = 0
    """Clockwise rotation that the container specifies and decoding applies: 0, 90, 180 or 270."""
    turned_degrees: int = 0
    """Further clockwise rotation that decoding applies, because faces are upright in it: 0, 90, 180 or 270."""
    variable_rate: bool = False
    """True if frame times are uneven; frames are then resampled to `fps`."""
    delay_seconds: float = 0.0
    """Start of the video stream after the start of the file. The first frame is repeated from the start."""
    pixel_format: str = ""
    """ffmpeg's name, such as "yuv420p10le"."""
    transfer: str = ""
    """Transfer function, such as "bt709", "smpte2084" (PQ) or "arib-std-b67" (HLG); empty if not tagged."""
    matrix: str = ""
    """Colour matrix, such as "bt709" or "bt2020nc"; empty if not tagged."""
    codec: str = ""
    """ffmpeg's name, such as "h264"."""
    container: str = ""
    """ffmpeg's name of the format, such as "mov,mp4,m4a,3gp,3g2,mj2"."""
    interlaced: bool = False
    """True if frames consist of two fields; they are then deinterlaced."""

    def turned(self, degrees: int) -> VideoInfo:
        """Return the description of the video as decoding yields it when turned clockwise by 0, 90, 180 or 270."""
        width, height = (self.height, self.width) if degrees in (90, 270) else (self.width, self.height)
        return replace(self, width=width, height=height, turned_degrees=(self.turned_degrees + degrees) % 360)

    @property
    def is_hdr(self) -> bool:
        """True if the transfer function is PQ or HLG, so that frames are tone-mapped."""
        return self.transfer in _HDR_TRANSFERS

    @property
    def resampled(self) -> bool:
        """True if decoding repeats or drops frames to get a constant rate from the start of the file."""
        return self.variable_rate or self.delay_seconds * self.fps > 0.5

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """A remark for each conversion in decoding that the user should know about."""
        remarks = []
        if self.variable_rate:
            text = f"variable frame rate, resampled to a constant {float(self.fps):.3f} frames/s"
            remarks.append(Remark("variable-rate", text))
        elif self.resampled:
            text = f"video begins {self.delay_seconds:.2f} s late; the first frame is repeated until then"
            remarks.append(Remark("late-start", text))
        if self.is_hdr:
            text = f"HDR ({_HDR_TRANSFERS[self.transfer]}), tone-mapped to standard range"
            remarks.append(Remark("hdr", text))
        if self.rotation_degrees:
            text = f"rotated by {self.rotation_degrees} degrees clockwise, as its container specifies"
            remarks.append(Remark("turned", text))
        if self.interlaced:
            remarks.append(Remark("interlaced", "interlaced, converted to progressive"))
        return tuple(remarks)
