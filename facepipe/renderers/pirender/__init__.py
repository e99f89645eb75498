"""PIRenderer (Ren et al., ICCV 2021), compatible with the published weights; written from the paper and from facts.

Upstream: RenYurui/PIRender as of January 2022, CC BY-NC 4.0, as are its weights; none of its code is here.
"""

from facepipe.rendering.spec import RendererSpec

SPEC = RendererSpec(
    name="pirender",
    about="the published PIRenderer; you bring its weights",
    space="bfm",
    open="facepipe.renderers.pirender.renderer:open_renderer",
    prepare="facepipe.renderers.pirender.renderer:prepare",
    network="pirender-official",
    # The radius of `facepipe.spaces.bfm.descriptor` windows.
    context_frames=13,
    side_multiple=32,
    official={"pirender-official": "facepipe.renderers.pirender.checkpoint:read_official"},
)
