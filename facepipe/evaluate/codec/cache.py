"""Finished codings and their scores on disk, by clip and setting, so that an evaluation can be resumed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepipe.evaluate.codec.clips import FPS, QUALITY, SIZE_PIXELS, CodecClip
from facepipe.evaluate.codec.coding import Coded, Coder
from facepipe.evaluate.codec.scores import Points
from facepipe.media.encode import VideoWriter
from facepipe.media.files import draft_of

VERSION = 1
"""Raise it when a measure is computed in another way."""
ORIGINAL = "original"
TEACHER, EMBEDDED = "teacher", "embedded landmarker"


@dataclass(frozen=True)
class Cache:
    """The files of an evaluation, by clip and setting: video and scores in OUT/decoded, landmarks in OUT/labels/JUDGE.

    The file of scores is written last and names what it was made from; it is ignored once that has changed.
    """

    out: Path
    judge: str
    """Who finds the landmarks, `TEACHER` or `EMBEDDED`."""

    @property
    def videos(self) -> Path:
        """The folder that the teacher labels."""
        return self.out / "decoded"

    @property
    def labels(self) -> Path:
        """The folder of the labels."""
        return self.out / "labels" / self.judge

    def video(self, clip: str, setting: str) -> Path:
        """Return the path of a decoded clip, or of the original for the setting `ORIGINAL`."""
        return self.videos / "clips" / f"{clip}--{setting}.mp4"

    def scores(self, clip: CodecClip, coder: Coder) -> dict[str, Any] | None:
        """Return what `store` has written for this clip and setting; None if it is missing or of something else."""
        try:
            found = json.loads(self._scores_path(clip, coder).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        fits = isinstance(found, dict) and found.get("made_from") == _made_from(clip, coder)
        return found if fits and self.video(clip.name, coder.name).is_file() else None

    def store(self, clip: CodecClip, coder: Coder, coded: Coded, scores: Mapping[str, float]) -> dict[str, Any]:
        """Write the decoded clip, its tokens and its scores, and remove labels of an earlier coding; return the scores.

        The video is coded with the quality of the originals, so that landmarks of both are found in equal pictures.
        """
        video = self.video(clip.name, coder.name)
        video.parent.mkdir(parents=True, exist_ok=True)
        for label in (self.out / "labels").glob(f"*/clips/{clip.name}--{coder.name}.npz"):
            label.unlink()
        with VideoWriter(video, size=(SIZE_PIXELS, SIZE_PIXELS), fps=FPS, quality=QUALITY) as writer:
            for frame in coded.frames:
                writer.write(frame)
        tokens = None if coded.tokens is None else coded.tokens.tolist()
        content = {"made_from": _made_from(clip, coder), "scores": dict(scores), "tokens": tokens}
        return self.update(clip, coder, content)

    def update(self, clip: CodecClip, coder: Coder, content: dict[str, Any]) -> dict[str, Any]:
        """Write the scores of a clip and setting; return them."""
        with draft_of(self._scores_path(clip, coder)) as draft:
            draft.write_text(json.dumps(content), encoding="utf-8")
        return content

    def points(self, clip: str, setting: str) -> Points:
        """Return the landmarks of a labelled clip."""
        with np.load(self._label_path(clip, setting)) as labels:
            return Points(labels["points"], labels["valid"])

    def store_points(self, clip: str, setting: str, points: NDArray[np.float32], valid: NDArray[np.bool_]) -> None:
        """Write landmarks in the form of the teacher's labels."""
        path = self._label_path(clip, setting)
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft_of(path) as draft, draft.open("wb") as file:
            np.savez(file, points=points, valid=valid)

    def is_labelled(self, clip: str, setting: str) -> bool:
        """Return whether landmarks of a clip are there."""
        return self._label_path(clip, setting).is_file()

    def _scores_path(self, clip: CodecClip, coder: Coder) -> Path:
        return self.video(clip.name, coder.name).with_suffix(".json")

    def _label_path(self, clip: str, setting: str) -> Path:
        return self.labels / "clips" / f"{clip}--{setting}.npz"


def _made_from(clip: CodecClip, coder: Coder) -> str:
    return sha256(f"{VERSION} {clip.digest} {coder.identity}".encode()).hexdigest()
