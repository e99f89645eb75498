"""The renderer of avatars: a 3D head that follows 52 face units. See docs/avatar.md."""

from facepipe.rendering.spec import RendererSpec, SourceKind

SPEC = RendererSpec(
    name="avatar",
    about="a 3D head that one makes and edits, moved by 52 face units",
    space="arkit52",
    source=SourceKind.AVATAR,
    open="facepipe.renderers.avatar.renderer:open_renderer",
    has_alpha=True,
    background="#e6e7ec",
    min_frames_per_second=25,
    max_memory_gigabytes=1.2,
)
