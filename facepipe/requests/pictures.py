"""Options about the pictures of the source, as a base class of requests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from facepipe.renderers import RENDERERS
from facepipe.rendering.spec import RendererSpec
from facepipe.requests.declaration import option
from facepipe.requests.groups import FACES


def _shown(spec: RendererSpec) -> str:
    """Return the name of a renderer that pools, with the network that does if its default one does not."""
    pools = spec.network not in spec.simple_kinds
    return spec.name if pools else f"{spec.name} with --weights {' or '.join(spec.official)}"


POOLING = ", ".join(_shown(spec) for spec in RENDERERS.values() if spec.max_pictures > 1)
ONLY = f"only for renderers that pool several pictures ({POOLING or 'none is installed'})"


@dataclass(frozen=True, kw_only=True)
class SourcePictures:
    """The frames of a source video, and further pictures of the person."""

    panel: ClassVar[str] = FACES
    source_frame: str = option("Frame of a source video: best, or a frame number from 0.", default="best")
    source_frames: int = option(
        "Number of frames of a source video to use, that of --source-frame and others that differ most from it; "
        f"{ONLY}.",
        default=1,
        minimum=1,
        maximum=16,
        exact=True,
    )
    source_picture: tuple[Path, ...] = option(
        f"Another picture of the person in SOURCE. Repeatable; {ONLY}.",
        default=(),
        metavar="PICTURE",
        reads=True,
        accepts=("image",),
    )
