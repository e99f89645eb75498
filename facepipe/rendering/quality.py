"""Quality that `facepipe evaluate` expects of a renderer on people whom no training saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_CORRELATIONS = {"yaw": 0.97, "pitch": 0.97, "roll": 0.97, "mouth opening": 0.93, "eye opening": 0.75}


@dataclass(frozen=True, kw_only=True)
class QualityThresholds:
    """Thresholds of one renderer, for clips reenacted from one of their own frames."""

    correlations: Mapping[str, float] = field(default_factory=lambda: _CORRELATIONS)
    """Minimum correlation with the driver over all frames, by signal; across identities 0.05 less."""
    above_baseline: bool = True
    """Whether PSNR and SSIM must exceed those of the baseline renderer as they must exceed those of the unmoved source:
    on average and on 80 % of the clips. If not, the averages must be at least the baseline's."""
    against_baseline: bool = True
    """Whether PSNR and SSIM are compared with those of the baseline renderer at all, not only with the unmoved
    source's."""
    min_sharpness: float = 0.75
    """Ratio to the driver's."""
    max_sharpness: float = 1.2
    max_mouth_ratio: float = 0.75
    """Maximum L1 distance in the mouth region over the baseline renderer's; 0 for none."""
    max_motion_ratio: float = 0.6
    """Maximum AED and APD over those of the unmoved source; 0 for none."""
