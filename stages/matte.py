"""Stage `matte`: compute the mattes of the person in a picture or clip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facepipe.device import in_parallel, lone_threads, thread_count
from facepipe.engine.remark import Remark, remark_facts
from facepipe.engine.stage import Stage, StageRun
from facepipe.errors import NoFaceError
from facepipe.media.damage import Damage
from facepipe.media.decode import decode_frames
from facepipe.media.encode import VideoWriter
from facepipe.media.files import kind_of
from facepipe.media.image import read_picture, write_grey, write_image
from facepipe.media.limits import NO_LIMITS
from facepipe.media.probe import probe_video
from facepipe.weights.loaded import load_once

if TYPE_CHECKING:
    from facepipe.face.matte import Matting
    from facepipe.face.matte_remarks import MatteCounts

Picture = NDArray[np.uint8]
Found = NDArray[np.float32]
# The matte of a clip is an mp4, which every editor reads. At this quality its levels differ by 1 or 2 of 255.
MATTE_QUALITY = 95


@dataclass(frozen=True)
class Params:
    """Parameters of the stage."""

    alpha: bool = False
    """Whether to write the picture with the matte as its alpha channel, instead of the matte."""
    quality: int = MATTE_QUALITY
    """Quality of a clip with an alpha channel; mattes always have MATTE_QUALITY."""


def matte(run: StageRun[Params]) -> Mapping[str, Any]:
    """Compute and write the matte. Raises NoFaceError if no frame shows a person."""
    # Imported here, so that a finished job does not wait for torch.
    from facepipe.checkpoint import THREADS
    from facepipe.face.matte import Matting
    from facepipe.face.matte_remarks import MatteCounts

    path, counts = run.input("media"), MatteCounts()
    matting = load_once(Matting, run.weights["matting"], threads=THREADS)
    if kind_of(path) == "image":
        remarks = _write_picture(run, path, matting, counts)
    else:
        remarks = _write_clip(run, path, matting, counts)
    return {
        "frames": counts.frames,
        "frames_without_person": counts.empty,
        "mean_share": round(counts.total_share / counts.frames, 4),
        "remarks": remark_facts([*remarks, *counts.remarks()]),
    }


def _write_picture(run: StageRun[Params], path: Path, matting: Matting, counts: MatteCounts) -> list[Remark]:
    read = read_picture(path, NO_LIMITS)
    found = matting.matte(read.pixels)
    counts.add(found)
    _check(counts, path)
    if run.params.alpha:
        write_image(run.output / "alpha.png", with_alpha((read.pixels, found)))
    else:
        write_grey(run.output / "matte.png", levels_of(found))
    run.advance(1)
    return list(read.remarks)


def _write_clip(run: StageRun[Params], path: Path, matting: Matting, counts: MatteCounts) -> list[Remark]:
    info, damage = probe_video(path, NO_LIMITS), Damage()
    name, alpha = ("alpha.webm", True) if run.params.alpha else ("matte.mp4", False)
    writer = VideoWriter(
        run.output / name,
        size=(info.width, info.height),
        fps=info.fps,
        codec="vp9" if alpha else "h264",
        quality=run.params.quality if alpha else MATTE_QUALITY,
        alpha=alpha,
    )
    count = thread_count()
    with writer, lone_threads(count, "alpha") as pool:
        mattes = matting.mattes(decode_frames(path, info=info, damage=damage))
        for (_, found), frame in in_parallel(pool, with_alpha if alpha else as_grey, mattes, count):
            counts.add(found)
            writer.write(frame)
            run.advance(1)
        _check(counts, path)
    return [*info.remarks, *damage.remarks(path, counts.frames), *writer.remarks]


def levels_of(found: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return a matte of 0 to 1 as levels of 0 to 255."""
    return np.asarray(found * np.float32(255) + np.float32(0.5)).astype(np.uint8)


def as_grey(frame: tuple[Picture, Found]) -> Picture:
    """Return (H, W, 3) RGB of equal levels from a picture and its matte."""
    return np.repeat(levels_of(frame[1])[..., None], 3, axis=2)


def with_alpha(frame: tuple[Picture, Found]) -> Picture:
    """Return (H, W, 4) RGBA with straight alpha from an (H, W, 3) picture and its matte.

    The old background is removed from the colours of soft edges; transparent pixels continue those of the person.
    """
    from facepipe.rendering.background import cut_out, with_clean_colours

    return with_clean_colours(cut_out(*frame))


def _check(counts: MatteCounts, path: Path) -> None:
    """Raise NoFaceError if no frame shows a person."""
    if counts.empty == counts.frames:
        where = f"in {counts.frames} frames" if counts.frames > 1 else "in it"
        raise NoFaceError(
            f"{path}: no person was found {where}, so the matte would be empty. Use an input that shows the head of a "
            "person; --crop cuts it out of a wide picture."
        )


STAGE = Stage(
    name="matte",
    version=2,
    inputs=("media",),
    outputs=("matte.png?", "matte.mp4?", "alpha.png?", "alpha.webm?"),
    params=Params,
    function=matte,
    weights=("matting",),
)
