"""Portrait animation as a resumable batch pipeline: one portrait, moved by a video, a voice or a set of sliders.

    import facepipe
    facepipe.reenact("portrait.jpg", "driver.mp4", out="result.mp4")

The functions are those of `facepipe.api`, the errors those of `facepipe.errors`; both are loaded when they are first
used, for they wait for NumPy. See docs/python.md.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from facepipe.api import (
        Result,
        audio,
        avatar_create,
        blendshapes,
        coefficients,
        crop,
        decode,
        edit,
        encode,
        frames,
        matte,
        reenact,
    )
    from facepipe.errors import (
        BusyError,
        DiskError,
        EncoderError,
        FacepipeError,
        FailedItemsError,
        InputError,
        MemoryLimitError,
        NoFaceError,
        PrecheckError,
        RecordError,
        ToolError,
        UsageError,
        WeightsError,
    )

__all__ = [
    "BusyError",
    "DiskError",
    "EncoderError",
    "FacepipeError",
    "FailedItemsError",
    "InputError",
    "MemoryLimitError",
    "NoFaceError",
    "PrecheckError",
    "RecordError",
    "Result",
    "ToolError",
    "UsageError",
    "WeightsError",
    "__version__",
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


if not TYPE_CHECKING:  # else a type checker would take every name for one of ours

    def __getattr__(name):
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = "facepipe.errors" if name.endswith("Error") else "facepipe.api"
        found = globals()[name] = getattr(import_module(module), name)
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
