"""Bi-layer head avatars (Zakharov et al., ECCV 2020): the embedded network (`compact`), and the published ones.

Written from the paper, its supplementary and documented facts about the weights. The authors' code,
saic-violet/bilayer-model at c01cebe (2020-10-24), is under MPL-2.0; none of it is here.
"""

from facepipe.rendering.quality import QualityThresholds
from facepipe.rendering.spec import RendererSpec

SPEC = RendererSpec(
    name="bilayer",
    about="a texture that is warped in every frame, with a matte of the head; made once per portrait",
    space="keypoints68",
    open="facepipe.renderers.bilayer.renderer:open_renderer",
    prepare="facepipe.renderers.bilayer.renderer:prepare",
    prior="mesh",
    weights=("face-model",),
    network="bilayer-compact",
    needs_matte=True,
    has_alpha=True,
    mixed_kinds=("bilayer-compact",),
    max_pictures=16,
    simple_kinds=("bilayer-compact",),
    official={"bilayer-official": "facepipe.renderers.bilayer.checkpoint:read_official"},
    quality=QualityThresholds(
        correlations={"yaw": 0.95, "pitch": 0.92, "roll": 0.95, "mouth opening": 0.86, "eye opening": 0.75},
        above_baseline=False,
        min_sharpness=0.7,
        max_mouth_ratio=0,
        max_motion_ratio=0,
    ),
    compared_with=("compact",),
)
