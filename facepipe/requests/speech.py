"""Options of motion that is generated from sound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from facepipe.requests.declaration import option
from facepipe.requests.groups import SPEECH


@dataclass(frozen=True, kw_only=True)
class SpeechOptions:
    """Options of motion generated from sound: of `audio`, and of `motion` for sound files."""

    panel: ClassVar[str] = SPEECH
    seed: int = option("Seed of the generated motion. The same seed gives the same bytes.", default=0)
    temperature: float = option(
        "Variation of takes; 0 gives the most likely motion.", default=1.0, minimum=0, maximum=3
    )
    fps: str = option("Frames per second, for example 25 or 30000/1001.", default="25")
    expression_strength: float = option("Scale factor of the expression.", default=1.0, minimum=0, maximum=3)
    pose_strength: float = option("Scale factor of the head motion.", default=1.0, minimum=0, maximum=3)
    still: bool = option("Keep the head still.", default=False)
    lookahead: int | None = option(
        "Limit of future sound that the motion may depend on, in frames at 25 per second (default: no limit).",
        default=None,
        minimum=0,
    )
    blinks: bool = option("Add blinks at a natural rate.", default=True)
    breath: bool = option("Add breathing motion.", default=True)
    smooth_head: bool = option("Smooth the head motion.", default=True)
    resting_lips: bool = option("Keep the lips at rest in silence, and prevent them from crossing.", default=True)
    steady_lips: bool = option(
        "Emphasise the lip motion that the sound determines over random variation.", default=True
    )
