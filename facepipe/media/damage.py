"""Damage that a decoder finds in a video: frames that are shown with errors, and packets that give none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from facepipe.engine.remark import Remark
from facepipe.errors import InputError

MAX_DAMAGED_SHARE = 0.5
"""Share of damaged and lost frames above which a video is refused."""
SIGNS = re.compile(
    rb"(?P<damaged>corrupt decoded frame)"
    rb"|\[error\] (?P<lost>Error submitting packet to decoder|Error while decoding stream|Decoding error)"
    rb"|(?P<other>\[error\])"
)
"""What ffmpeg prints at the log level `LOG_LEVEL`: a line for each damaged frame, each lost packet, other errors."""
LOG_LEVEL = "repeat+level+warning"


@dataclass
class Damage:
    """Damage found by `decode_frames`, which fills it when it ends. Of several passes, that with the most counts."""

    counts: Mapping[str, int] = field(default_factory=Counter)
    """Number of signs by name: "damaged", "lost" and "other"."""

    @property
    def frames(self) -> int:
        """Number of frames that the decoder knows to be damaged or lost. Frames predicted from them are not counted."""
        return self.counts.get("damaged", 0) + self.counts.get("lost", 0)

    def add(self, counts: Mapping[str, int]) -> None:
        """Add the signs of one pass through the video."""
        self.counts = max(self.counts, counts, key=lambda found: sum(found.values()))

    def remarks(self, path: Path, decoded_frames: int) -> tuple[Remark, ...]:
        """Return a remark if there is damage. Raises InputError if too many of the frames are damaged or lost."""
        count = decoded_frames + self.counts.get("lost", 0)
        if self.frames > count * MAX_DAMAGED_SHARE:
            raise InputError(
                f"{path}: is damaged: {self.frames} of {count} frames are decoded with errors or lost, and at most "
                f"{MAX_DAMAGED_SHARE:.0%} may be; copy or export it again"
            )
        if self.frames:
            text = f"at least {self.frames} of {count} frames are damaged or lost; copy or export it again"
        elif sum(self.counts.values()):
            text = "the decoder reports errors, so frames may be damaged; copy or export it again"
        else:
            return ()
        return (Remark("damaged-frames", text),)
