"""The functions of the Python interface."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from facepipe.api.running import call, expected_errors, guarded, portrait_files
from facepipe.config import load_settings
from facepipe.device import let_threads_sleep
from facepipe.requests import (
    AudioRequest,
    BlendshapesRequest,
    CoefficientsRequest,
    CropRequest,
    EditRequest,
    MatteRequest,
    ReenactRequest,
)
from facepipe.requests.creation import CreateRequest
from facepipe.requests.frames import FramesRequest
from facepipe.requests.keywords import request_from

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from typing_extensions import Unpack

    from facepipe.api.options import (
        AudioOptions,
        BlendshapesOptions,
        CoefficientsOptions,
        CreateOptions,
        CropOptions,
        EditOptions,
        File,
        FramesOptions,
        MatteOptions,
        Progress,
        ReenactOptions,
        Source,
    )
    from facepipe.api.result import Result


def reenact(
    source: Source | Sequence[Source],
    driver: File,
    *,
    out: File | None = None,
    progress: Progress | None = None,
    force: Collection[str] = (),
    **options: Unpack[ReenactOptions],
) -> Result:
    """Animate the face in `source` with the motion of `driver`. The result is a video, or a picture if `out` names one.

    Args:
        source: The portrait: an array (H, W, 3) of uint8, RGB, or the path of a picture or video. For a renderer that
            pools several pictures of one person, also a sequence of these, of which the first is animated.
        driver: The path of a video, a picture, or a motion file (.npz).
        out: The file to write. Default: "SOURCE--DRIVER.mp4", or ".png" if the driver is a picture, in the current
            folder.
        progress: A function that is called with each event of the job (`facepipe.engine.events`).
        force: Stages to run again even if their results exist; "all" for all of them.
        options: The options of `facepipe reenact`, with underscores: size=512, paste_back=True.

    Raises:
        FacepipeError: UsageError for options, InputError for files, NoFaceError, and others.
    """
    return call(ReenactRequest, source, {"driver": driver, "out": out, **options}, progress, force)


def audio(
    source: Source | Sequence[Source],
    sound: File,
    *,
    out: File | None = None,
    progress: Progress | None = None,
    force: Collection[str] = (),
    **options: Unpack[AudioOptions],
) -> Result:
    """Animate the face in `source` with motion generated from speech. The result is a video with the sound.

    Args:
        source: The portrait: an array (H, W, 3) of uint8, RGB, or the path of a picture or video. For a renderer that
            pools several pictures of one person, also a sequence of these, of which the first is animated.
        sound: The path of a sound file, or of a video with sound.
        out: The file to write. Default: "SOURCE--SOUND.mp4" in the current folder.
        progress: A function that is called with each event of the job (`facepipe.engine.events`).
        force: Stages to run again even if their results exist; "all" for all of them.
        options: The options of `facepipe audio`, with underscores: pose_strength=0.5, blinks=False.

    Raises:
        FacepipeError: UsageError for options, InputError for files, NoFaceError, and others.
    """
    return call(AudioRequest, source, {"sound": sound, "out": out, **options}, progress, force)


def edit(
    source: Source | Sequence[Source],
    *,
    out: File | None = None,
    progress: Progress | None = None,
    force: Collection[str] = (),
    **options: Unpack[EditOptions],
) -> Result:
    """Set pose and expression of the face in `source` by sliders, from another picture, or at random.

    The result is a picture or a video; with `random`, there may be several pictures.

    Args:
        source: The portrait: an array (H, W, 3) of uint8, RGB, or the path of a picture or video. For a renderer that
            pools several pictures of one person, also a sequence of these, of which the first is animated.
        out: The file to write. Default: "SOURCE--edit.png", or ".mp4" with a sweep, in the current folder.
        progress: A function that is called with each event of the job (`facepipe.engine.events`).
        force: Stages to run again even if their results exist; "all" for all of them.
        options: The options of `facepipe edit`, with underscores: yaw=10, smile=0.5, sweep="yaw=-20:20".

    Raises:
        FacepipeError: UsageError for options, InputError for files, NoFaceError, and others.
    """
    return call(EditRequest, source, {"out": out, **options}, progress, force)


def crop(
    source: Source | Sequence[Source],
    *,
    out: File,
    progress: Progress | None = None,
    force: Collection[str] = (),
    **options: Unpack[CropOptions],
) -> Result:
    """Detect and track the face in `source`; write the crop (.mp4 or .png) and its track (.track.npz).

    Args:
        source: A picture or video, a folder of them, an array (H, W, 3) of uint8, RGB, or a sequence of these.
        out: The file to write; for several sources, a folder.
        progress: A function that is called with each event of the job (`facepipe.engine.events`).
        force: Stages to run again even if their results exist; "all" for all of them.
        options: The options of `facepipe crop`, with underscores.

    Raises:
        FacepipeError: UsageError for options, InputError for files, NoFaceError, FailedItemsError if some of several
            sources failed (`done` holds the paths of the other results), and others.
    """
    return call(CropRequest, source, {"out": out, **options}, progress, force, role="inputs")


def matte(
    source: Source | Sequence[Source],
    *,
    out: File,
    progress: Progress | None = None,
    force: Collection[str] = (),
    **options: Unpack[MatteOptions],
) -> Result:
    """Compute the matte of the person in `source`: white is person (.mp4 or .png).

    Args:
        source: A picture or video, a folder of them, an array (H, W, 3) of uint8, RGB, or a sequence of these.
        out: The file to write; for several sources, a folder.
        progress: A function that is called with each event of the job (`facepipe.engine.events`).
        force: Stages to run again even if their results exist; "all" for all of them.
        options: The options of `facepipe matte`, with underscores: alpha=True, crop=True.

    Raises:
        FacepipeError: UsageError for options, InputError for files, NoFaceError if nobody is seen, FailedItemsError if
            some of several sources failed (`done` holds the paths of the other results), and others.
    """
    return call(MatteRequest, source, {"out": out, **options}, progress, force, role="inputs")


def coefficients(
    source: Source | Sequence[Source],
    *,
    out: File,
    progress: Progress | None = None,
    force: Collection[str] = (),
    **options: Unpack[CoefficientsOptions],
) -> Result:
    """Fit the face model to the face in `source`; write coefficients (.npz), which can drive `reenact`.

    Args:
        source: A track (.track.npz), picture or video, a folder of them, an array (H, W, 3) of uint8, RGB, or a
            sequence of these.
        out: The file to write; for several sources, a folder.
        progress: A function that is called with each event of the job (`facepipe.engine.events`).
        force: Stages to run again even if their results exist; "all" for all of them.
        options: The options of `facepipe coefficients`, with underscores.

    Raises:
        FacepipeError: UsageError for options, InputError for files, NoFaceError, FailedItemsError if some of several
            sources failed (`done` holds the paths of the other results), and others.
    """
    return call(CoefficientsRequest, source, {"out": out, **options}, progress, force, role="inputs")


def blendshapes(
    source: Source | Sequence[Source],
    *,
    out: File,
    progress: Progress | None = None,
    force: Collection[str] = (),
    **options: Unpack[BlendshapesOptions],
) -> Result:
    """Fit ARKit's 52 face units; write a take (.csv) as Live Link Face does, or a motion file (.npz).

    Args:
        source: A video, picture, track (.track.npz), sound, motion file (.npz) or take (.csv), a folder of them, an
            array (H, W, 3) of uint8, RGB, or a sequence of these.
        out: The file to write, .csv or .npz; for several sources, a folder.
        progress: A function that is called with each event of the job (`facepipe.engine.events`).
        force: Stages to run again even if their results exist; "all" for all of them.
        options: The options of `facepipe blendshapes`, with underscores.

    Raises:
        FacepipeError: UsageError for options, InputError for files, NoFaceError, FailedItemsError if some of several
            sources failed (`done` holds the paths of the other results), and others.
    """
    return call(BlendshapesRequest, source, {"out": out, **options}, progress, force, role="drivers")


def avatar_create(
    source: Source | Sequence[Source],
    *,
    out: File,
    progress: Progress | None = None,
    force: Collection[str] = (),
    **options: Unpack[CreateOptions],
) -> Result:
    """Make an avatar from a portrait: params.json, with pictures and a report beside it in the folder `out`.

    Args:
        source: A picture or video, a folder of them, an array (H, W, 3) of uint8, RGB, or a sequence of these.
        out: The folder of the avatar; of several portraits, it contains one folder for each.
        progress: A function that is called with each event of the job (`facepipe.engine.events`).
        force: Stages to run again even if their results exist; "all" for all of them.
        options: The options of `facepipe avatar create`, with underscores.

    Raises:
        FacepipeError: UsageError for options, InputError for files, NoFaceError, FailedItemsError if some of several
            sources failed (`done` holds the paths of the other results), and others.
    """
    return call(CreateRequest, source, {"out": out, **options}, progress, force, role="portraits")


def frames(
    source: Source | Sequence[Source],
    driver: File,
    *,
    progress: Progress | None = None,
    **options: Unpack[FramesOptions],
) -> Iterator[NDArray[np.uint8]]:
    """Yield the frames of a reenactment as arrays (H, W, 3) of uint8, RGB, each as soon as it is rendered.

    With background="transparent" they are (H, W, 4), with straight alpha.
    They are the frames that `reenact` encodes. No result and no record are written. Tracks and coefficients of source
    and driver are stored in the work folder. Closing or deleting the iterator ends the work.

    Args:
        source: The portrait: an array (H, W, 3) of uint8, RGB, or the path of a picture or video. For a renderer that
            pools several pictures of one person, also a sequence of these, of which the first is animated.
        driver: The path of a video, a picture, or a motion file (.npz).
        progress: A function that is called with each event of the job (`facepipe.engine.events`).
        options: The options of `facepipe reenact`, except those about the result file, with underscores.

    Raises:
        FacepipeError: UsageError and InputError at once, others during the iteration.
    """
    let_threads_sleep()
    settings, given = load_settings(), dict[str, Any](options)
    with expected_errors():
        files = portrait_files(source, given, settings)
        request = request_from(FramesRequest, {"driver": driver, **given, **files})
        return guarded(request.stream(settings, events=progress))
