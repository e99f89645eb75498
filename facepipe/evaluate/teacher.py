"""The teacher: MediaPipe's landmarks of drivers and results, made in another Python environment."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepipe.errors import InputError, ToolError
from facepipe.evaluate.signals import Followed, follow
from facepipe.face.model import FaceModel

TOOL = Path(__file__).parents[2] / "tools" / "label_with_mediapipe.py"
ROLES = ("driver", "result")
TAIL_CHARACTERS = 400


def check_teacher(teacher: Path) -> None:
    """Raise InputError or ToolError if the teacher's environment cannot be used."""
    if shutil.which(teacher) is None:
        raise InputError(
            f"--teacher is {teacher}, expected the Python of an environment with MediaPipe (see {TOOL.name})"
        )
    if not TOOL.is_file():
        raise ToolError(
            f"--teacher needs {TOOL.name}, which is only in the source repository of facepipe: {TOOL} does not exist"
        )
    finished = subprocess.run([str(teacher), "-c", "import mediapipe"], capture_output=True, text=True, check=False)
    if finished.returncode:
        raise ToolError(
            f"{teacher} has no MediaPipe: pip install mediapipe==0.10.21 in its environment", detail=finished.stderr
        )


def label(out: Path, teacher: Path) -> None:
    """Run the teacher on the driver's crops and the results in OUT; raise ToolError if it fails."""
    # The tool skips clips that have labels, and labels of an earlier run belong to other pictures.
    shutil.rmtree(out / "labels", ignore_errors=True)
    for role in ROLES:
        label_folder(out / role, out / "labels" / role, teacher)


def label_folder(data: Path, labels: Path, teacher: Path) -> None:
    """Run the teacher on DATA/clips/*.mp4 without labels in LABELS; raise ToolError if it fails."""
    command = [str(teacher), str(TOOL), str(data), str(labels)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolError(f"the teacher {teacher} failed: {done.stderr.strip()[-TAIL_CHARACTERS:]}", detail=done.stderr)


def teachers_points(out: Path, role: str, name: str) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the teacher's points (T, 478, 3), and (T,) the frames in which it finds a face."""
    with np.load(out / "labels" / role / "clips" / f"{name}.npz") as labels:
        return labels["points"], labels["valid"]


def teachers_view(names: Iterable[str], out: Path, model: FaceModel) -> tuple[dict[str, Followed], float]:
    """Return, by clip, the teacher's signals, and the share of the result's frames in which it finds a face."""
    followed, seen = {}, []
    for name in names:
        (truth, found), (made, there) = (teachers_points(out, role, name) for role in ROLES)
        seen.append(there.mean())
        one = follow(truth, found, made, there, model)
        if one is not None:
            followed[name] = one
    return followed, float(np.mean(seen)) if seen else float("nan")
