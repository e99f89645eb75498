"""The compact renderer: a small PIRenderer that corrects the pictures of the mesh renderer. See docs/compact.md."""

from facepipe.rendering.spec import RendererSpec

SPEC = RendererSpec(
    name="compact",
    about="the mesh warp, corrected by a small network",
    space="linear478",
    open="facepipe.renderers.compact.renderer:open_renderer",
    prior="mesh",
    weights=("face-model",),
    network="pirender-compact",
    min_frames_per_second=25,
    max_memory_gigabytes=1.5,
)
