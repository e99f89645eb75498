"""Label clips and portraits with MediaPipe's face mesh, whose points are the training targets of our landmarker.

Runs in an environment of its own, because MediaPipe pins numpy < 2:

    python -m venv teacher && teacher/bin/pip install mediapipe==0.10.21
    teacher/bin/python tools/label_with_mediapipe.py DATA LABELS

DATA holds `clips/*.mp4` and `portraits/*.jpg`. LABELS receives one `<kind>/<name>.npz` per file: `points`
(T, 478, 3) float32, x and y in pixels of the decoded frame, z in the same unit and smaller towards the camera;
`valid` (T,) bool, whether a face was found; `size_pixels` (2,) width and height. Files that are already labelled are
skipped.
"""

import os
import sys
from collections.abc import Iterator
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

POINTS = 478
Picture = NDArray[np.uint8]
KINDS = {"clips": "*.mp4", "portraits": "*.jpg"}


def teacher(*, still: bool) -> Any:
    """Build the face mesh, tracking from frame to frame unless `still`."""
    from mediapipe.python.solutions.face_mesh import FaceMesh

    return FaceMesh(static_image_mode=still, max_num_faces=1, refine_landmarks=True, min_detection_confidence=0.5)


def frames_of(path: Path) -> Iterator[Picture]:
    """Yield RGB frames of a video or the one frame of an image."""
    if path.suffix == ".mp4":
        video = cv2.VideoCapture(str(path))
        # facepipe resizes frames with non-square pixels in width, so labels must be in pixels of resized frames.
        across, down = video.get(cv2.CAP_PROP_SAR_NUM) or 1, video.get(cv2.CAP_PROP_SAR_DEN) or 1
        while True:
            more, frame = video.read()
            if not more:
                return
            if across != down:
                frame = cv2.resize(frame, (round(frame.shape[1] * across / down), frame.shape[0]))
            yield np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)
    else:
        picture = cv2.imread(str(path))
        assert picture is not None, f"{path} is not a picture"
        yield np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def label(path: Path, target: Path) -> int:
    """Label one file; return the number of frames with a face."""
    points, valid, size = [], [], (0, 0)
    with teacher(still=path.suffix != ".mp4") as mesh:
        for frame in frames_of(path):
            size = (frame.shape[1], frame.shape[0])
            found = mesh.process(frame).multi_face_landmarks
            valid.append(bool(found))
            row = [(p.x, p.y, p.z) for p in found[0].landmark] if found else [(0.0, 0.0, 0.0)] * POINTS
            points.append(np.asarray(row, np.float32) * (size[0], size[1], size[0]))
    draft = target.with_suffix(f".{os.getpid()}.part.npz")
    np.savez(draft, points=np.asarray(points, np.float32), valid=np.asarray(valid), size_pixels=np.asarray(size))
    draft.replace(target)
    return sum(valid)


def label_all(job: tuple[Path, Path]) -> str:
    """Label one file; return a line that reports it."""
    path, target = job
    return f"{path.name}: {label(path, target)} frames with a face"


def main(data: Path, labels: Path) -> None:
    """Label all files without a label, in two processes."""
    jobs = []
    for kind, pattern in KINDS.items():
        (labels / kind).mkdir(parents=True, exist_ok=True)
        jobs += [(path, labels / kind / f"{path.stem}.npz") for path in sorted((data / kind).glob(pattern))]
    todo = [job for job in jobs if not job[1].exists()]
    with Pool(2) as pool:
        for line in pool.imap_unordered(label_all, todo):
            print(line, flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
