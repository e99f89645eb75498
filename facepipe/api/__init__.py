"""facepipe in Python: the functions behind `import facepipe`. See docs/python.md."""

from facepipe.api.calls import audio, blendshapes, coefficients, crop, edit, frames, matte, reenact
from facepipe.api.result import Result

__all__ = ["Result", "audio", "blendshapes", "coefficients", "crop", "edit", "frames", "matte", "reenact"]
