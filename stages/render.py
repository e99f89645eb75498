"""Stage `render`: render one segment of the animated source, encoded once in its final quality."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facepipe.engine.remark import FACT, Remark, remark_facts
from facepipe.engine.stage import NOT_IN_FINGERPRINT, Stage, StageRun
from facepipe.face.track import load_track
from facepipe.media.decode import decode_frames
from facepipe.media.encode import DEFAULT_QUALITY, WEBM, VideoWriter
from facepipe.media.files import kind_of
from facepipe.media.grid import side_by_side, turned
from facepipe.media.image import read_image, read_picture, write_image
from facepipe.media.limits import NO_LIMITS
from facepipe.media.origin import origin_metadata
from facepipe.media.probe import probe_video
from facepipe.spaces.files import load_coefficients, read_header

if TYPE_CHECKING:
    from facepipe.rendering.background import Composition

Picture = NDArray[np.uint8]
PICTURE = "picture"
"""The background of a picture, the input `background`."""
_UNSEEN = Remark(
    "background-guessed",
    "the person fills the portrait, so that nothing of its background is visible; what the head uncovers is filled "
    "from the border of the picture",
)


@dataclass(frozen=True)
class Params:
    """Parameters of the stage."""

    renderer: str
    compiled: bool = field(default=False, metadata=NOT_IN_FINGERPRINT)
    """Whether torch compiles the renderer's network first."""
    first_frame: int = 0
    """First frame of the segment in the driver; used by the grid only."""
    lead_frames: int = 0
    """Rows of motion before the first rendered frame, as context of the renderer."""
    frame_count: int = 0
    """Frames to render; 0 for all that follow."""
    picture: str = ""
    """png, jpg or webp to write only the first frame, as a picture; empty for a video."""
    grid: bool = False
    """Whether to place source and driver beside the result."""
    cut: bool = False
    """Whether the motion skips the driver's frames without a face; used by the grid only."""
    quality: int = DEFAULT_QUALITY
    codec: str = "h264"
    background: str = ""
    """source, transparent, a colour "#rrggbb", or PICTURE for the input `background`; empty keeps frames unchanged."""
    program: str = ""
    """Program name in the metadata of a picture. Videos get theirs in the stage `mux`."""


def render(run: StageRun[Params]) -> Mapping[str, Any]:
    """Render the frames of the motion file, and encode them as a segment of video or as one picture."""
    params, background = run.params, background_of(run)
    frames, device = frames_of(run, background), _device(params.renderer)
    if params.picture:
        write_image(run.output / f"picture.{params.picture}", next(frames), metadata=origin_metadata())
        run.advance(1)
        return {"frames": 1, "device": device, FACT: remark_facts(background.remarks)}
    facts, remarks = _encode(run, frames, Fraction(read_header(run.input("motion"))["fps"]))
    return {**facts, "device": device, FACT: remark_facts([*background.remarks, *remarks])}


def _device(renderer: str) -> str:
    """Return the processor that renders, and the precision of its network."""
    from facepipe.device import device_text
    from facepipe.renderers import RENDERERS

    spec = RENDERERS[renderer]
    return device_text(network=bool(spec.network))


@dataclass(frozen=True)
class Background:
    """What is behind the person in each frame."""

    composition: Composition | None = None
    """None keeps frames unchanged."""
    remarks: tuple[Remark, ...] = ()


def background_of(run: StageRun[Params]) -> Background:
    """Return the background of a segment's frames."""
    if not run.params.background:
        return Background()
    from facepipe.renderers import is_mixed
    from facepipe.rendering.background import Composition, covering, plain
    from facepipe.rendering.background_rule import SOURCE, TRANSPARENT
    from facepipe.rendering.filling import is_visible, without_person
    from facepipe.rendering.matting import open_matting
    from facepipe.rendering.spec import MATTING

    matting = open_matting(run.weights[MATTING]) if MATTING in run.weights else None
    mixed = is_mixed(run.params.renderer, run.weights)
    if run.params.background == TRANSPARENT:
        return Background(Composition(None, matting, mixed=mixed))
    source = read_image(run.input("picture"))
    size = (source.shape[1], source.shape[0])
    if run.params.background == PICTURE:
        given = read_picture(run.input("background"), NO_LIMITS)
        remarks = tuple(Remark(remark.code, f"background: {remark.text}") for remark in given.remarks)
        return Background(Composition(covering(given.pixels, size), matting, mixed=mixed), remarks)
    if run.params.background != SOURCE:
        return Background(Composition(plain(run.params.background, size), matting, mixed=mixed))
    if "matte" in run.inputs:
        matte: NDArray[np.floating] = read_image(run.input("matte"))[..., 0] / np.float32(255)
    else:
        assert matting is not None
        matte = matting(source)
    composition = Composition(without_person(source, matte), matting, own=True, mixed=mixed)
    return Background(composition, () if is_visible(matte) else (_UNSEEN,))


def frames_of(run: StageRun[Params], background: Background | None = None) -> Generator[Picture, None, None]:
    """Yield the frames of the segment, (H, W, 3) uint8 RGB, in the full source and with the grid where they are set.

    With a transparent background they are (H, W, 4), with straight alpha. `background` is that of `background_of`.
    """
    # Imported here, so that a finished job does not wait for torch.
    from facepipe.renderers import RENDERERS, open_for
    from facepipe.rendering.compositing import Paste
    from facepipe.rendering.source import SourceFiles

    params = run.params
    motion = load_coefficients(run.input("motion"), space=RENDERERS[params.renderer].motion_space)
    prepared, matte = (run.input(name) if name in run.inputs else None for name in ("prepared", "matte"))
    files = SourceFiles(run.input("picture"), run.input("track"), run.input("source"), prepared, matte)
    count = params.frame_count or len(motion) - params.lead_frames
    renderer = open_for(params.renderer, run.weights, files, compiled=params.compiled)
    frames = renderer(motion, params.lead_frames, params.lead_frames + count)
    if composition := (background or background_of(run)).composition:
        frames = composition.frames(frames)
    displayed = picture = read_image(files.picture)
    if "full" in run.inputs:
        track = load_track(files.track)
        displayed = turned(read_image(run.input("full"), NO_LIMITS), track.turned_degrees)
        paste = Paste(displayed, track.crop, picture.shape[0])
        frames = (paste.into_full(frame) for frame in frames)
    if params.grid:
        panels = [repeat(displayed), _driver(run, count, picture.shape[0]), frames]
        frames = (side_by_side([panel for panel in row if panel is not None]) for row in zip(*panels, strict=False))
    yield from frames


def _driver(run: StageRun[Params], count: int, side: int) -> Iterator[Picture | None]:
    """Yield the driver's crops for the grid; None without a driver that has pictures."""
    if "driver" not in run.inputs:
        return repeat(None)
    path, track = run.input("driver"), load_track(run.input("driver_track"))
    left, top, length, _ = box = track.crop.box()
    if kind_of(path) == "image":
        return repeat(
            turned(read_image(path, NO_LIMITS), track.turned_degrees)[top : top + length, left : left + length]
        )
    first = run.params.first_frame
    selected = range(first, first + count)
    if run.params.cut:
        selected = np.flatnonzero(track.track.valid)[first : first + count].tolist()
    frames = decode_frames(
        path,
        info=probe_video(path, NO_LIMITS).turned(track.turned_degrees),
        start_frame=selected[0],
        frame_count=selected[-1] + 1 - selected[0],
        crop=box,
        size=(side, side),
    )
    return _select(frames, first=selected[0], selected=frozenset(selected))


def _select(frames: Iterator[Picture], *, first: int, selected: frozenset[int]) -> Iterator[Picture]:
    """Yield the selected frames, then repeat the last one forever.

    The frame count of videos with a variable rate is an estimate, so there may be fewer than expected.
    """
    frame: Picture | None = None
    for number, frame in enumerate(frames, start=first):
        if number in selected:
            yield frame
    while frame is not None:
        yield frame


def _encode(
    run: StageRun[Params], frames: Iterator[Picture], fps: Fraction
) -> tuple[Mapping[str, Any], tuple[Remark, ...]]:
    params, count = run.params, 1
    first = next(frames)
    alpha = first.shape[2] == 4
    with VideoWriter(
        run.output / f"segment{WEBM if alpha else '.mp4'}",
        size=(first.shape[1], first.shape[0]),
        fps=fps,
        codec=params.codec,
        quality=params.quality,
        alpha=alpha,
    ) as writer:
        writer.write(first)
        run.advance(1)
        for frame in frames:
            writer.write(frame)
            run.advance(1)
            count += 1
    return {"frames": count, "size_pixels": [first.shape[1], first.shape[0]]}, writer.remarks


STAGE = Stage(
    name="render",
    version=11,
    inputs=(
        "picture",
        "track",
        "source",
        "motion",
        "prepared?",
        "matte?",
        "full?",
        "background?",
        "driver?",
        "driver_track?",
    ),
    outputs=("segment.mp4?", "segment.webm?", "picture.png?", "picture.jpg?", "picture.webp?"),
    params=Params,
    function=render,
    weights=("face-model?", "network?", "matting?"),
)
