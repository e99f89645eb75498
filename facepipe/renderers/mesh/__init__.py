"""The mesh renderer: warps the source picture by the motion of the face model's mesh. See docs/compact.md."""

from facepipe.rendering.spec import RendererSpec

SPEC = RendererSpec(
    name="mesh",
    about="the geometric warp alone, sharper and faster",
    space="linear478",
    open="facepipe.renderers.mesh.renderer:open_renderer",
    open_prior="facepipe.renderers.mesh.renderer:open_mesh",
    weights=("face-model",),
    min_frames_per_second=40,
    max_memory_gigabytes=1.2,
)
