"""The functions of the codec: a clip as stills and a few numbers per frame (.fpv), and back as a video."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from facepipe.api.result import Result
from facepipe.api.running import call
from facepipe.errors import UsageError
from facepipe.requests import DecodeRequest, EncodeRequest

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from facepipe.api.options import DecodeOptions, EncodeOptions, File, Progress


def encode(
    clip: File,
    *,
    out: File,
    progress: Progress | None = None,
    force: Collection[str] = (),
    **options: Unpack[EncodeOptions],
) -> Result:
    """Encode the face in `clip` as stills and a few numbers per frame (.fpv), at some kilobits per second.

    Args:
        clip: The path of a video.
        out: The stream to write (.fpv).
        progress: A function that is called with each event of the job (`facepipe.engine.events`).
        force: Stages to run again even if their results exist; "all" for all of them.
        options: The options of `facepipe encode`, with underscores: bitrate=3, tokens="imf", no_sound=True.

    Raises:
        FacepipeError: UsageError for options, InputError for files, WeightsError, and others.
    """
    _refuse_pipes(clip, out)
    return call(EncodeRequest, clip, {"out": out, **options}, progress, force, role="clip")


def decode(
    stream: File,
    *,
    out: File,
    progress: Progress | None = None,
    force: Collection[str] = (),
    **options: Unpack[DecodeOptions],
) -> Result:
    """Draw the video of a stream that `encode` wrote, with its sound.

    Args:
        stream: The path of a stream (.fpv).
        out: The video to write (.mp4 or .webm).
        progress: A function that is called with each event of the job (`facepipe.engine.events`).
        force: Stages to run again even if their results exist; "all" for all of them.
        options: The options of `facepipe decode`, with underscores: from_second=30, seconds=5, lost="hold".

    Raises:
        FacepipeError: UsageError for options, InputError for files, WeightsError, and others.
    """
    _refuse_pipes(stream, out)
    return call(DecodeRequest, stream, {"out": out, **options}, progress, force, role="stream")


def _refuse_pipes(*files: Any) -> None:
    """Raise UsageError for the names of stdin and stdout, which belong to the calling program."""
    for file in files:
        if isinstance(file, str | os.PathLike) and os.fspath(file) == "-":
            raise UsageError("a path is '-', stdin or stdout; give a file, or use the commands in a pipe")
