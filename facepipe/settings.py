"""The settings: names, types, defaults, help texts and bounds. `facepipe.config` reads their values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from functools import cache
from typing import Any, Literal, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

V = TypeVar("V")

DEFAULT = "default"
"""The source of a value that nobody gave."""
NUMBERED = ("face.face", "face.driver_face", "motion.reference")
"""Settings whose text may be a number, which may be given as a number."""
MAX_WHOLE = 2**63 - 1
"""The largest whole number of a setting or an option."""


def setting(default: V, help: str, *, minimum: float | None = None, maximum: float | None = None) -> V:
    """Declare a setting: its default, its help text, and its minimum and maximum (both inclusive)."""
    declaration: V = field(default=default, metadata={"help": help, "minimum": minimum, "maximum": maximum})
    return declaration


@dataclass(frozen=True)
class WorkSettings:
    """Work files."""

    folder: str = setting(".facepipe", "folder of the work files; a relative path is relative to the current folder")
    segment_frames: int = setting(125, "frames per rendered segment, the most that a kill can lose", minimum=1)
    stale_seconds: float = setting(120.0, "claims of other machines expire if not renewed for this long", minimum=1.0)


@dataclass(frozen=True)
class MediaSettings:
    """Limits of input files."""

    max_pixels: int = setting(67_108_864, "maximum pixels (width times height) of a picture or frame", minimum=1)
    max_duration_seconds: float = setting(7200.0, "maximum duration of a video or sound file", minimum=0)


@dataclass(frozen=True)
class OutputSettings:
    """Encoding of results."""

    codec: Literal["h264", "h265", "vp9"] = setting("h264", "video codec")
    quality: int = setting(75, "encoding quality, from 0 (smallest file) to 100 (best picture)", minimum=0, maximum=100)
    size_pixels: int = setting(256, "width and height of the rendered face", minimum=64, maximum=2048)
    fit: Literal["shortest", "driver", "pad"] = setting("driver", "duration of the result if sound and motion differ")


@dataclass(frozen=True)
class FaceSettings:
    """Face selection and analysis."""

    face: str = setting(
        "largest", "face in the source: largest, left, right, a number from 1, or a picture of the person"
    )
    driver_face: str = setting(
        "largest", "face in the driver: largest, left, right, a number from 1, or a picture of the person"
    )
    no_face: Literal["fail", "hold", "source", "cut"] = setting("hold", "handling of driver frames without a face")
    landmarker: Literal["embedded", "face-alignment"] = setting("embedded", "landmark detector")
    space: str = setting("auto", "motion space; auto selects the renderer's")


@dataclass(frozen=True)
class MotionSettings:
    """Transfer of the driver's motion."""

    motion: Literal["relative", "absolute"] = setting("relative", "motion relative to the reference frame, or absolute")
    strength: float = setting(1.0, "factor on the motion", minimum=0, maximum=3)
    only: Literal["all", "expression", "pose"] = setting("all", "part of the motion to transfer")
    scale: Literal["source", "adapt", "driver"] = setting("adapt", "size and position of the head")
    keypoints: Literal["source", "driver"] = setting(
        "source", "landmarks of the space keypoints68: the source's moved as the driver's, or the driver's own"
    )
    reference: str = setting("best", "reference frame of relative motion: best, first, or a number from 0")
    smoothing: Literal["none", "one-euro", "savitzky-golay"] = setting(
        "savitzky-golay", "smoothing of the driver's motion; off by default in the space bfm"
    )


@dataclass(frozen=True)
class RenderSettings:
    """Rendering."""

    renderer: str = setting("compact", "renderer; `facepipe reenact --help` lists all")
    weights: str = setting("", "registry name of the renderer's network; empty for the default one")
    compile: bool = setting(
        False, "compile the network by torch first (for long clips on a GPU); keeps finished results"
    )
    background: str = setting(
        "auto", "background: auto, source, white, black, transparent, a colour as #RRGGBB, or a picture"
    )


@dataclass(frozen=True)
class ProvenanceSettings:
    """Provenance of results."""

    certificate: str = setting("", "certificate chain (PEM) to sign results with (C2PA); requires the key")
    key: str = setting("", "private key (PEM) of the certificate")
    consent: str = setting("", "file with the consent of the person shown; its digest is recorded")
    require_consent: bool = setting(False, "refuse to run without a consent file")


@dataclass(frozen=True)
class Settings:
    """All settings, validated, and the source of each."""

    work: WorkSettings = WorkSettings()
    media: MediaSettings = MediaSettings()
    output: OutputSettings = OutputSettings()
    face: FaceSettings = FaceSettings()
    motion: MotionSettings = MotionSettings()
    render: RenderSettings = RenderSettings()
    provenance: ProvenanceSettings = ProvenanceSettings()
    origins: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Source by "section.key", for values that are not defaults."""

    def origin(self, name: str) -> str:
        """Return the source of the value of "section.key": "default", "flag", a file or an environment variable."""
        return self.origins.get(name, DEFAULT)

    def rows(self) -> list[tuple[str, Any, str]]:
        """Return (name, value, origin) of each setting in order of declaration."""
        return [(name, getattr(getattr(self, section), f.name), self.origin(name)) for name, section, f in declared()]


SECTIONS: Mapping[str, type] = {
    f.name: type(f.default) for f in fields(Settings) if f.name != "origins" and f.default is not None
}


def declared() -> Iterator[tuple[str, str, Field[Any]]]:
    """Yield ("section.key", section, field) of each setting."""
    for section, section_type in SECTIONS.items():
        for f in fields(section_type):
            yield f"{section}.{f.name}", section, f


class Bounds(NamedTuple):
    """The smallest and the largest allowed value; None where there is no bound."""

    minimum: float | None
    maximum: float | None


@cache
def bounds_of(name: str) -> Bounds:
    """Return the bounds of the setting "section.key"."""
    metadata = next(f.metadata for other, _, f in declared() if other == name)
    return Bounds(metadata["minimum"], metadata["maximum"])


def choices_of(name: str) -> tuple[str, ...]:
    """Return the values that the setting "section.key" may have; an empty tuple if they are not a fixed set."""
    section, key = name.split(".")
    hint = get_type_hints(SECTIONS[section])[key]
    return get_args(hint) if get_origin(hint) is Literal else ()
