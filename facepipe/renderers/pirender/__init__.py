"""PIRenderer (Ren et al., ICCV 2021), compatible with the published weights.

Written from the paper and from documented facts about the weights. The authors' code, RenYurui/PIRender as of January
2022, and its weights are under CC BY-NC 4.0; none of that code is here.
"""

from facepipe.rendering.spec import RendererSpec

SPEC = RendererSpec(
    name="pirender",
    about="the published PIRenderer; you bring its weights",
    space="bfm",
    open="facepipe.renderers.pirender.renderer:open_renderer",
    prepare="facepipe.renderers.pirender.renderer:prepare",
    network="pirender-official",
    # Radius of the windows in `facepipe.spaces.bfm.descriptor`.
    context_frames=13,
    side_multiple=32,
    official={"pirender-official": "facepipe.renderers.pirender.checkpoint:read_official"},
)
