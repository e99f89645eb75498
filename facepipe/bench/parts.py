"""Speed of each part of the work on its own, in this process, after a warm-up."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from facepipe import weights
from facepipe.bench.clip import FPS, Material
from facepipe.bench.metric import Metric, Threshold, rate, time_call
from facepipe.face.detector import Detector
from facepipe.face.fitting import fit
from facepipe.face.landmarker import Landmarker
from facepipe.face.matte import Matting
from facepipe.face.model import load_face_model
from facepipe.face.track import load_track
from facepipe.face.tracking import Tracker
from facepipe.media.decode import decode_frames
from facepipe.media.encode import VideoWriter
from facepipe.media.image import read_image, resize
from facepipe.pipeline.rendering import options_for, renderer_weights
from facepipe.renderers import RENDERERS, is_mixed, open_for
from facepipe.rendering.background import Composition
from facepipe.rendering.filling import without_person
from facepipe.rendering.source import SourceFiles
from facepipe.spaces.files import load_coefficients

Picture = NDArray[np.uint8]
MATTE, MATTE_PIXELS = "matte alone, 256x256", 256
THRESHOLDS = {MATTE: Threshold(60, "at least")}
"""Of parts alone, on two cores."""


@dataclass(frozen=True)
class StageFolders:
    """Folders of a finished job's stages."""

    crop_source: Path
    fit_source: Path
    crop_driver: Path
    motions: tuple[Path, ...]
    prepared: Path | None = None
    matte: Path | None = None
    """Of the source; only for a renderer that needs it."""


def measure_parts(material: Material, folders: StageFolders, renderer: str, *, repeats: int) -> list[Metric]:
    """Return the speed of decoding, tracking, matting, fitting, rendering and encoding, each on its own."""
    frames = list(decode_frames(material.clip))
    rendering = _rendering(folders, renderer)
    rendered = list(rendering())
    parts: dict[str, tuple[int, Callable[[], object]]] = {
        "decode alone": (len(frames), lambda: _exhaust(decode_frames(material.clip))),
        "track alone": (len(frames), lambda: _tracker().track(iter(frames))),
        MATTE: (len(frames), _matting(frames)),
        "fit alone": (len(frames), _fitting(folders)),
        "render alone": (len(rendered), lambda: _exhaust(rendering())),
        "encode alone": (len(rendered), lambda: _encode(rendered)),
    }
    return [
        rate(name, count, [time_call(action) for _ in range(repeats + 1)][1:], THRESHOLDS.get(name))
        for name, (count, action) in parts.items()
    ]


def _exhaust(items: Iterable[object]) -> None:
    deque(items, maxlen=0)


def _tracker() -> Tracker:
    return Tracker(Detector(weights.find("detector").path), Landmarker(weights.find("landmarker").path))


def _matting(frames: Sequence[Picture]) -> Callable[[], object]:
    """Return a function that computes the mattes of frames in the size that the network sees."""
    network = Matting(weights.find("matting").path)
    small = [resize(frame, (MATTE_PIXELS, MATTE_PIXELS)) for frame in frames]
    return lambda: _exhaust(network.mattes(small))


def _fitting(folders: StageFolders) -> Callable[[], object]:
    model, track = load_face_model(weights.find("face-model").path), load_track(folders.crop_driver / "track.npz").track
    return lambda: fit(model, track.points, track.valid)


def _rendering(folders: StageFolders, renderer: str) -> Callable[[], Iterable[Picture]]:
    """Return a function that renders the whole result, (S, S, 3) uint8 RGB frames, without encoding it."""
    options = options_for(renderer)
    space = RENDERERS[renderer].motion_space
    motions = [load_coefficients(folder / "motion.npz", space=space) for folder in folders.motions]
    prepared = folders.prepared / "prepared.safetensors" if folders.prepared else None
    matte = folders.matte / "matte.png" if folders.matte else None
    files = SourceFiles(
        folders.crop_source / "crop.png",
        folders.crop_source / "track.npz",
        folders.fit_source / "coefficients.npz",
        prepared,
        matte,
    )
    found = {name: file.path for name, file in renderer_weights(options).items()}
    render = open_for(renderer, found, files)
    composition = _composition(files, renderer, found)

    def rendered() -> Iterator[Picture]:
        frames = (frame for motion in motions for frame in render(motion, 0, len(motion)))
        return composition.frames(frames) if composition else frames

    return rendered


def _composition(files: SourceFiles, renderer: str, found: Mapping[str, Path]) -> Composition | None:
    """Return what composes frames with alpha over the source's own background, as in a job; None for other frames."""
    if not RENDERERS[renderer].has_alpha:
        return None
    assert files.matte is not None
    matte = read_image(files.matte)[..., 0] / np.float32(255)
    behind = without_person(read_image(files.picture), matte)
    return Composition(behind, own=True, mixed=is_mixed(renderer, found))


def _encode(frames: list[Picture]) -> None:
    height, width = frames[0].shape[:2]
    with (
        TemporaryDirectory(prefix="facepipe-bench-") as folder,
        VideoWriter(Path(folder) / "out.mp4", size=(width, height), fps=FPS) as writer,
    ):
        for frame in frames:
            writer.write(frame)
