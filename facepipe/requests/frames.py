"""The request of `facepipe.frames`, the frames of a reenactment without a file. It has no command."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from facepipe.requests.declaration import argument
from facepipe.requests.groups import (
    Background,
    Consent,
    DriverFace,
    Face,
    Grid,
    Limits,
    Network,
    NoFace,
    PasteBack,
    Preset,
    Size,
    Smoothing,
    SourceFrame,
    Space,
    Transfer,
)
from facepipe.requests.request import PORTRAIT, RequestBase, names
from facepipe.requests.resolution import options_for, settings_for

if TYPE_CHECKING:
    from facepipe.engine.events import Sink
    from facepipe.rendering.source import Picture
    from facepipe.settings import Settings


@dataclass(frozen=True, kw_only=True)
class FramesRequest(
    RequestBase,
    Size,
    Grid,
    PasteBack,
    Face,
    DriverFace,
    SourceFrame,
    NoFace,
    Transfer,
    Smoothing,
    Preset,
    Space,
    Background,
    Network,
    Consent,
    Limits,
):
    """The options of `reenact`, except those about the result file."""

    command: ClassVar[str] = "frames"

    source: Path = argument(PORTRAIT)
    driver: Path = argument("The driver: a video, a picture, or a motion file (.npz).")

    def stream(self, settings: Settings, *, events: Sink | None = None) -> Iterator[Picture]:
        """Check everything, then return an iterator over the frames. Closing the iterator ends the work.

        Raises FacepipeError: at once for everything that can be checked before the work, later from the iterator.
        """
        from facepipe.engine import Job, Workspace
        from facepipe.engine.events import ignore
        from facepipe.motion.presets import load_preset
        from facepipe.motion.sliders import Edit
        from facepipe.pipeline.reenact import check_inputs, stream_frames

        options = options_for(self, settings, edit=load_preset(self.preset) if self.preset else Edit())
        workspace = Workspace(Path(settings_for(self, settings).work.folder))
        identity = {"command": "frames", **names(source=self.source, driver=self.driver)}
        job = Job(workspace, identity, events=events or ignore)
        inputs = check_inputs(job, self.source, self.driver, options, [options.provenance.check])

        def frames() -> Iterator[Picture]:
            with job:
                yield from stream_frames(job, inputs)

        return frames()
