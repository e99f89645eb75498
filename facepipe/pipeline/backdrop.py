"""The picture behind the person, as an input of a job."""

from __future__ import annotations

from typing import Any

from facepipe.engine.digest import DigestCache
from facepipe.errors import UsageError
from facepipe.pipeline.options import Options
from facepipe.pipeline.precheck import inspect
from facepipe.rendering.background_rule import EXPECTED


def check_backdrop(options: Options) -> None:
    """Raise UsageError or InputError unless the picture of --background, if any, can be used."""
    path = options.backdrop
    if path is None:
        return
    if not path.exists():
        raise UsageError(f"--background is {str(path)!r}, which is no file; expected {EXPECTED}")
    if inspect(path, options.limits).kind != "image":
        raise UsageError(f"--background is {str(path)!r}, a video; give a picture, for example one frame of it")


def described_backdrop(options: Options, digests: DigestCache) -> dict[str, Any]:
    """Return the entry of the picture among the inputs of a record."""
    path = options.backdrop
    return {"background": {"path": str(path), "sha256": digests.digest(path)}} if path else {}
