"""The stages, under a name that no module of the user has: `from facepipe.stages import crop`.

In a checkout the stages are the folder `stages/` beside `facepipe/`; this module puts that package in its own place.
A wheel contains the folder as the package `facepipe.stages` instead of this module. The name `stages` is never
imported, because a `stages.py` beside a notebook would answer to it.
"""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stages import (
        NAMES,
        assemble,
        avatar,
        blendshapes,
        clip,
        coefficients,
        create,
        crop,
        decode,
        encode,
        features,
        matte,
        motion,
        mux,
        opus,
        person,
        portrait,
        prepare,
        render,
        report,
        selection,
        sheet,
        sign,
        spans,
        speech,
        take,
        utterances,
    )

__all__ = [
    "NAMES",
    "assemble",
    "avatar",
    "blendshapes",
    "clip",
    "coefficients",
    "create",
    "crop",
    "decode",
    "encode",
    "features",
    "matte",
    "motion",
    "mux",
    "opus",
    "person",
    "portrait",
    "prepare",
    "render",
    "report",
    "selection",
    "sheet",
    "sign",
    "spans",
    "speech",
    "take",
    "utterances",
]

_folder = Path(__file__).parents[1] / "stages"
_spec = spec_from_file_location(__name__, _folder / "__init__.py", submodule_search_locations=[str(_folder)])
assert _spec is not None
assert _spec.loader is not None
# The import system returns what lies in sys.modules after this module has run.
sys.modules[__name__] = _package = module_from_spec(_spec)
_spec.loader.exec_module(_package)
