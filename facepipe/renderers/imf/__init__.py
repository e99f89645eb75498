"""Implicit motion function (IMF; Gao et al., CVPR 2024): a portrait, then a token of 32 numbers per frame.

Written from the paper and its supplementary. The authors publish neither code nor weights.
"""

from facepipe.rendering.quality import QualityThresholds
from facepipe.rendering.spec import RendererSpec

SPEC = RendererSpec(
    name="imf",
    about="pictures drawn from tokens of 32 numbers per frame",
    space="imf_tokens",
    open="facepipe.renderers.imf.renderer:open_renderer",
    prepare="facepipe.renderers.imf.renderer:prepare",
    network="imf-compact",
    min_frames_per_second=25,
    quality=QualityThresholds(
        correlations={"yaw": 0.93, "pitch": 0.93, "roll": 0.93, "mouth opening": 0.80, "eye opening": 0.65},
        above_baseline=False,
        against_baseline=False,
        min_sharpness=0,
        max_mouth_ratio=0,
        max_motion_ratio=0,
    ),
)
