"""What a job is asked for, once the command line and the settings have been read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from facepipe.media.encode import DEFAULT_QUALITY
from facepipe.media.limits import MediaLimits
from facepipe.media.mux import Fit
from facepipe.motion.sliders import Edit
from facepipe.pipeline.provenance import Provenance
from facepipe.spaces import linear478
from facepipe.spaces.retargeting import Retargeting


@dataclass(frozen=True)
class Options:
    """Everything that shapes a result; shared by all commands that make one."""

    size_pixels: int = 256
    quality: int = DEFAULT_QUALITY
    codec: str = "h264"
    fit: Fit = "driver"
    grid: bool = False
    paste_back: bool = False
    renderer: str = "mesh"
    weights: str = ""
    """Registry name of the renderer's network, where not its own."""
    compiled: bool = False
    """Whether torch compiles that network first."""
    space: str = linear478.SPACE.name
    """The motion space of the job."""
    face: str = "largest"
    driver_face: str = "largest"
    no_face: str = "hold"
    landmarker: str = "embedded"
    """embedded, or face-alignment."""
    source_frame: str = "best"
    """Which frame of a source video is the portrait: best, or a number from 0."""
    smoothing: str = "none"
    retargeting: Retargeting = field(default_factory=Retargeting)
    edit: Edit = field(default_factory=Edit)
    limits: MediaLimits = field(default_factory=MediaLimits)
    segment_frames: int = 125
    overwrite: bool = False
    provenance: Provenance = field(default_factory=Provenance)
    sheet: Path | None = None
    """Where to write a contact sheet of the result."""

    def as_json(self) -> Mapping[str, Any]:
        """Return what shapes the result, and not where it goes, for the sidecar."""
        content = asdict(self)
        for name in ("overwrite", "sheet", "segment_frames", "compiled", "limits", "provenance"):
            del content[name]
        return content
