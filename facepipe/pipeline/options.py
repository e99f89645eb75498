"""The options of a job, resolved from a request and the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from facepipe.face.rule import is_reference
from facepipe.media.limits import MediaLimits
from facepipe.media.mux import FitRule
from facepipe.motion.sliders import Edit
from facepipe.pipeline.invocation import Invocation
from facepipe.pipeline.provenance import Provenance
from facepipe.rendering.background_rule import TRANSPARENT, is_picture
from facepipe.settings import FaceSettings, MotionSettings, OutputSettings, RenderSettings, WorkSettings
from facepipe.spaces import linear478
from facepipe.spaces.retargeting import Retargeting


@dataclass(frozen=True)
class Options:
    """The options of all commands that make results. The defaults are those of the settings."""

    size_pixels: int = OutputSettings.size_pixels
    quality: int = OutputSettings.quality
    codec: str = OutputSettings.codec
    fit: FitRule = OutputSettings.fit
    grid: bool = False
    paste_back: bool = False
    renderer: str = RenderSettings.renderer
    weights: str = RenderSettings.weights
    """Registry name of the renderer's network; empty for the renderer's default."""
    compiled: bool = RenderSettings.compile
    """Whether to compile the network with torch.compile."""
    background: str = ""
    """source, transparent, a colour "#rrggbb", or the path of a picture; empty to leave frames unchanged."""
    container: str = "mp4"
    """The container of a video, mp4 or webm."""
    space: str = linear478.SPACE.name
    """The motion space of the job."""
    face: str = FaceSettings.face
    driver_face: str = FaceSettings.driver_face
    no_face: str = FaceSettings.no_face
    landmarker: str = FaceSettings.landmarker
    """"embedded" or "face-alignment"."""
    source_frame: str = "best"
    """The frame of a source video that is the portrait: "best", or a number from 0."""
    track: int | None = None
    """The sound track of the driver or sound file, from 1; None for the one that players choose."""
    smoothing: str = MotionSettings.smoothing
    retargeting: Retargeting = field(default_factory=Retargeting)
    edit: Edit = field(default_factory=Edit)
    limits: MediaLimits = field(default_factory=MediaLimits)
    segment_frames: int = WorkSettings.segment_frames
    overwrite: bool = False
    provenance: Provenance = field(default_factory=Provenance)
    sheet: Path | None = None
    """The path of the contact sheet of the result."""
    invocation: Invocation | None = None
    """The command that makes the result, for the sidecar; None for a job that is no command."""

    def references(self) -> Mapping[str, Path]:
        """Return the pictures of persons that choose a face, by option."""
        given = {"face": self.face, "driver_face": self.driver_face}
        return {option: Path(value) for option, value in given.items() if is_reference(value)}

    @property
    def backdrop(self) -> Path | None:
        """The picture behind the person; None for another background."""
        return Path(self.background) if is_picture(self.background) else None

    @property
    def transparent(self) -> bool:
        """Whether the result has an alpha channel."""
        return self.background == TRANSPARENT

    def named_files(self) -> list[Path]:
        """Return the files that options name, which no result may replace."""
        return [*self.provenance.paths(), *self.references().values(), *([self.backdrop] if self.backdrop else [])]

    def as_json(self) -> Mapping[str, Any]:
        """Return the options that change the content of the result, for the sidecar."""
        content = asdict(self)
        for name in ("overwrite", "sheet", "segment_frames", "compiled", "limits", "provenance", "invocation"):
            del content[name]
        return content
