"""facepipe in Python: the functions behind `import facepipe`. See docs/python.md."""

from facepipe.api.calls import audio, avatar_create, blendshapes, coefficients, crop, edit, frames, matte, reenact
from facepipe.api.coding import decode, encode
from facepipe.api.result import Result

__all__ = [
    "Result",
    "audio",
    "avatar_create",
    "blendshapes",
    "coefficients",
    "crop",
    "decode",
    "edit",
    "encode",
    "frames",
    "matte",
    "reenact",
]
