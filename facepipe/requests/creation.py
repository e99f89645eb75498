"""The request of `facepipe avatar create`: avatars from portraits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from facepipe.requests.declaration import SEEN, argument, from_setting, option
from facepipe.requests.groups import FACES, RESULT, Face, Limits, Overwrite
from facepipe.requests.request import Prepared, Request, names
from facepipe.requests.resolution import options_for

if TYPE_CHECKING:
    from facepipe.engine import Job
    from facepipe.settings import Settings


@dataclass(frozen=True, kw_only=True)
class SourceFrame:
    """The frame of a video."""

    panel: ClassVar[str] = FACES
    source_frame: str = option("Frame of a video: best, or a frame number from 0.", default="best")


@dataclass(frozen=True, kw_only=True)
class CreateRequest(Request, Face, SourceFrame, Limits, Overwrite):
    """Make an avatar from a portrait: OUT/params.json, with pictures and a report beside it.

    The avatar is a stylised likeness with sliders, colours and assets, which `avatar edit` changes. docs/avatar.md says
    what is measured, what is guessed, and what the files hold.
    """

    command: ClassVar[str] = "avatar create"
    panel: ClassVar[str] = RESULT

    portraits: tuple[Path, ...] = argument(
        "Pictures of a person from the front, or videos of which one frame is used; or folders of them.",
        metavar="PORTRAIT",
        accepts=SEEN,
    )
    out: Path = option(
        "Folder of the avatar; of several portraits, it contains one folder for each.", short="-o", in_rows=False
    )
    stylized: Path | None = option(
        "The portrait as a stylised picture by your own model, framed like the portrait; the avatar is matched to it.",
        default=None,
        metavar="PICTURE",
        reads=True,
        accepts=("image",),
    )
    wplus: Path | None = option(
        "W+ code (18, 512) of the portrait by e4e, for a mapper of such codes that you have added.",
        default=None,
        metavar="CODE.npy",
        reads=True,
    )
    size: int | None = from_setting("output.size_pixels", "Width and height of render.png in pixels.")

    def prepare(self, settings: Settings) -> Prepared:
        """Apply the settings and check everything that needs no file."""
        from functools import partial

        from facepipe.pipeline.batch import run_items
        from facepipe.pipeline.dependencies import of_creation

        options = options_for(self, settings)
        given = {"stylized": self.stylized, "code": self.wplus}
        further = {role: path for role, path in given.items() if path is not None}

        def make(job: Job) -> list[Path]:
            from facepipe.pipeline.creation import creating

            steps, items = creating(job, options, self.portraits, self.out, further)
            return run_items(job, "create", items, partial(steps.create))

        identity: dict[str, Any] = {"command": self.command, "inputs": [str(one.absolute()) for one in self.portraits]}
        identity |= names(out=self.out, **further)
        return Prepared(options, identity, of_creation(options, code=self.wplus is not None), make, (self.out,))
