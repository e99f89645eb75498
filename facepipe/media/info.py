"""The description of a video."""

from dataclasses import dataclass
from fractions import Fraction

_HDR_TRANSFERS = {"smpte2084": "PQ", "arib-std-b67": "HLG"}


@dataclass(frozen=True)
class VideoInfo:
    """What a video holds, as `decode_frames` will give it."""

    width: int
    """Pixels, after rotation, and made square where they were not."""
    height: int
    """Pixels, after rotation."""
    fps: Fraction
    """Exact frames per second; for a variable rate the constant one it is resampled to."""
    frame_count_estimate: int
    """Number of frames at `fps`: exact for a constant rate, within one or two for a variable one."""
    duration_seconds: float
    """Length of the pictures."""
    has_sound: bool
    """Whether there is a sound track."""
    sound_codec: str = ""
    """Such as "aac"; empty without sound."""
    rotation_degrees: int = 0
    """Clockwise turn that was asked for by the container and is applied in decoding: 0, 90, 180 or 270."""
    variable_rate: bool = False
    """Whether frames come at uneven times; they are then resampled to `fps`."""
    delay_seconds: float = 0.0
    """By how much the pictures begin after the file does; the first one is then held from the start."""
    pixel_format: str = ""
    """ffmpeg's name, such as "yuv420p10le"."""
    transfer: str = ""
    """Transfer function, such as "bt709", "smpte2084" (PQ) or "arib-std-b67" (HLG); empty if not said."""
    matrix: str = ""
    """Colour matrix, such as "bt709" or "bt2020nc"; empty if not said."""
    codec: str = ""
    """Such as "h264"."""
    container: str = ""
    """ffmpeg's name of the format, such as "mov,mp4,m4a,3gp,3g2,mj2"."""
    interlaced: bool = False
    """Whether frames are made of two fields; they are then deinterlaced."""

    @property
    def is_hdr(self) -> bool:
        """Whether the brightness is coded as PQ or HLG and must be tone-mapped."""
        return self.transfer in _HDR_TRANSFERS

    @property
    def resampled(self) -> bool:
        """Whether decoding repeats or drops frames to get an even rate that begins with the file."""
        return self.variable_rate or self.delay_seconds * self.fps > 0.5

    @property
    def remarks(self) -> tuple[str, ...]:
        """One sentence for each thing that decoding does on purpose and that a person may want to know."""
        said = []
        if self.variable_rate:
            said.append(f"variable frame rate, resampled to a constant {float(self.fps):.3f} frames/s")
        elif self.resampled:
            said.append(f"pictures begin {self.delay_seconds:.2f} s late; the first is held from the start")
        if self.is_hdr:
            said.append(f"HDR ({_HDR_TRANSFERS[self.transfer]}), tone-mapped to standard range")
        if self.rotation_degrees:
            said.append(f"turned by {self.rotation_degrees} degrees as its container asks")
        if self.interlaced:
            said.append("interlaced, made progressive")
        return tuple(said)
