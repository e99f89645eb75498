"""The description of a video."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from facepipe.engine.remark import Remark
from facepipe.media.colour import TRANSPARENCY, UNTAGGED, Colours


@dataclass(frozen=True)
class VideoInfo:
    """The properties of a video as `decode_frames` yields it."""

    width: int
    """Square pixels, after rotation."""
    height: int
    """Pixels, after rotation."""
    fps: Fraction
    """Exact frames per second; for a variable or excessive rate the constant rate it is resampled to."""
    frame_count_estimate: int
    """Number of frames at `fps`: exact for a constant rate, within one or two for a variable one."""
    duration_seconds: float
    """Duration of the video stream."""
    has_sound: bool
    """True if there is a sound stream."""
    sound_codec: str = ""
    """ffmpeg's name, such as "aac"; empty without sound."""
    track: int = 1
    """Number of the video stream among the video streams, from 1. Players choose the same: the default one, else the
    first."""
    track_count: int = 1
    """Number of video streams, cover pictures excluded."""
    rotation_degrees: int = 0
    """Clockwise rotation that the container specifies and decoding applies: 0, 90, 180 or 270."""
    mirrored: bool = False
    """True if the container specifies that left and right are exchanged, before the rotation. Decoding applies it."""
    turned_degrees: int = 0
    """Further clockwise rotation that decoding applies, because faces are upright in it: 0, 90, 180 or 270."""
    variable_rate: bool = False
    """True if frame times are uneven; frames are then resampled to `fps`."""
    delay_seconds: float = 0.0
    """Start of the video stream after the start of the file. The first frame is repeated from the start."""
    lost_seconds: float = 0.0
    """Part of `delay_seconds` that ffmpeg loses, so that decoding adds it."""
    recorded_fps: float = 0.0
    """Frames per second in the file if they are too many, so that frames are dropped to get `fps`; else 0."""
    colours: Colours = UNTAGGED
    """The colour tags. Decoding converts to sRGB."""
    short_delays: int = 0
    """Number of frames of an animation whose delay is too short to be meant and is replaced by 100 ms."""
    codec: str = ""
    """ffmpeg's name, such as "h264"."""
    container: str = ""
    """ffmpeg's name of the format, such as "mov,mp4,m4a,3gp,3g2,mj2"."""
    interlaced: bool = False
    """True if frames consist of two fields; they are then deinterlaced."""
    has_alpha: bool = False
    """True if there is an alpha channel, or, in an animation, a transparent pixel. Frames are composed over white."""

    def turned(self, degrees: int) -> VideoInfo:
        """Return the description of the video as decoding yields it when turned clockwise by 0, 90, 180 or 270."""
        width, height = (self.height, self.width) if degrees in (90, 270) else (self.width, self.height)
        return replace(self, width=width, height=height, turned_degrees=(self.turned_degrees + degrees) % 360)

    @property
    def pixel_format(self) -> str:
        """The pixel format by ffmpeg's name, such as "yuv420p10le"."""
        return self.colours.pixel_format

    @property
    def transfer(self) -> str:
        """Transfer function, such as "bt709"; empty if not tagged."""
        return self.colours.transfer

    @property
    def matrix(self) -> str:
        """Colour matrix, such as "bt709"; empty if not tagged."""
        return self.colours.matrix

    @property
    def is_hdr(self) -> bool:
        """True if the transfer function is PQ or HLG, so that frames are tone-mapped."""
        return self.colours.is_hdr

    @property
    def resampled(self) -> bool:
        """True if decoding repeats or drops frames to get a constant rate from the start of the file."""
        return self.variable_rate or self.recorded_fps > 0 or self.delay_seconds * self.fps > 0.5

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """A remark for each conversion in decoding that the user should know about."""
        remarks = []
        if self.variable_rate:
            text = f"variable frame rate, resampled to a constant {float(self.fps):.3f} frames/s"
            remarks.append(Remark("variable-rate", text))
        elif self.recorded_fps:
            text = f"{self.recorded_fps:,.0f} frames/s, resampled to {float(self.fps):,.0f} frames/s"
            remarks.append(Remark("excessive-rate", text))
        elif self.resampled:
            text = f"video begins {self.delay_seconds:.2f} s late; the first frame is repeated until then"
            remarks.append(Remark("late-start", text))
        if self.short_delays:
            text = f"{self.short_delays} frames with a delay of 0 or 10 ms, shown for 100 ms as in browsers"
            remarks.append(Remark("short-delays", text))
        remarks.extend(self.colours.remarks)
        turn = f"rotated by {self.rotation_degrees} degrees clockwise" if self.rotation_degrees else ""
        if self.mirrored:
            text = f"mirrored{' and ' if turn else ''}{turn}, as its container specifies"
            remarks.append(Remark("mirrored", text))
        elif turn:
            remarks.append(Remark("turned", f"{turn}, as its container specifies"))
        if self.has_alpha:
            remarks.append(TRANSPARENCY)
        if self.interlaced:
            remarks.append(Remark("interlaced", "interlaced, converted to progressive"))
        if self.track_count > 1:
            text = f"{self.track_count} video tracks; track {self.track} is used, as by players"
            remarks.append(Remark("several-tracks", text))
        return tuple(remarks)
