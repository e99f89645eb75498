"""Label clips and portraits with MediaPipe's selfie segmentation, whose masks are the training targets of our matting.

Runs in the environment of tools/label_with_mediapipe.py:

    teacher/bin/python tools/mattes_with_mediapipe.py DATA MATTES

DATA holds `clips/*.mp4` and `portraits/*.jpg`. MATTES receives one `<kind>/<name>.npz` per file: `frames` (N,) int32,
numbers of frames spread evenly over the clip; `mattes` (N, H, W) uint8, 0 background to 255 person, of the whole frame
with its longest side at 320 pixels. Files that are already labelled are skipped.

A matte is the mean over four views: the frame, the frame with a border of an eighth, and the mirror images of both. The
general model (0) is used: the landscape model (1) leaves patches of background beside the shoulders.
"""

import os
import sys
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from label_with_mediapipe import KINDS, Picture, frames_of  # type: ignore[import-not-found]
from numpy.typing import NDArray

FRAMES_PER_CLIP, LONGEST_PIXELS, BORDER_RATIO, GENERAL_MODEL = 12, 320, 0.125, 0


def teacher() -> Any:
    """Build the segmentation of single pictures."""
    from mediapipe.python.solutions.selfie_segmentation import SelfieSegmentation

    return SelfieSegmentation(model_selection=GENERAL_MODEL)


def matte_of(frame: Picture, segmentation: Any) -> NDArray[np.uint8]:
    """Return the mean matte of the views of an (H, W, 3) RGB frame."""
    height, width = frame.shape[:2]
    scale = LONGEST_PIXELS / max(height, width)
    size = (round(width * scale), round(height * scale))
    down, across = (round(BORDER_RATIO * length) for length in (height, width))
    total = np.zeros((height, width), np.float32)
    for top, left in ((0, 0), (down, across)):
        view = cv2.copyMakeBorder(frame, top, 0, left, left, cv2.BORDER_REPLICATE)
        for mirrored in (False, True):
            shown = np.ascontiguousarray(view[:, ::-1] if mirrored else view)
            mask = segmentation.process(shown).segmentation_mask
            mask = mask[:, ::-1] if mirrored else mask
            total += mask[top : top + height, left : left + width] / 4
    return np.asarray(cv2.resize(total, size, interpolation=cv2.INTER_AREA) * 255 + 0.5, np.float32).astype(np.uint8)


def label(job: tuple[Path, Path]) -> str:
    """Label one file; return a line that reports it."""
    path, target = job
    count = sum(1 for _ in frames_of(path))
    frames = np.unique(np.linspace(0, count - 1, min(FRAMES_PER_CLIP, count)).round().astype(np.int32))
    wanted = set(frames.tolist())
    with teacher() as segmentation:
        mattes = [matte_of(frame, segmentation) for number, frame in enumerate(frames_of(path)) if number in wanted]
    draft = target.with_suffix(f".{os.getpid()}.part.npz")
    np.savez_compressed(draft, frames=frames, mattes=np.stack(mattes))
    draft.replace(target)
    return f"{path.name}: {len(frames)} mattes, mean {np.mean(mattes) / 255:.2f}"


def main(data: Path, mattes: Path) -> None:
    """Label all files without a matte, in two processes."""
    jobs = []
    for kind, pattern in KINDS.items():
        (mattes / kind).mkdir(parents=True, exist_ok=True)
        jobs += [(path, mattes / kind / f"{path.stem}.npz") for path in sorted((data / kind).glob(pattern))]
    with Pool(2) as pool:
        for line in pool.imap_unordered(label, [job for job in jobs if not job[1].exists()]):
            print(line, flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
