"""Requests: one frozen dataclass per command that makes results.

Each field is declared once. The command line (`facepipe.cli`), the rows of a batch (`columns`) and Python keywords
(`keywords`) read these declarations. Importing this package loads neither NumPy nor torch.
"""

from collections.abc import Mapping

from facepipe.requests.audio import AudioRequest
from facepipe.requests.coding import DecodeRequest, EncodeRequest
from facepipe.requests.edit import EditRequest
from facepipe.requests.mux import MuxRequest
from facepipe.requests.reenact import ReenactRequest
from facepipe.requests.request import Prepared, Request
from facepipe.requests.running import run
from facepipe.requests.steps import (
    BlendshapesRequest,
    CoefficientsRequest,
    CropRequest,
    FeaturesRequest,
    MatteRequest,
    MotionRequest,
    RenderRequest,
)

REQUESTS: Mapping[str, type[Request]] = {
    one.command: one
    for one in (
        ReenactRequest,
        AudioRequest,
        EditRequest,
        CropRequest,
        MatteRequest,
        CoefficientsRequest,
        BlendshapesRequest,
        FeaturesRequest,
        MotionRequest,
        RenderRequest,
        MuxRequest,
        EncodeRequest,
        DecodeRequest,
    )
}
"""Request classes by command, in the order of the help."""

__all__ = [
    "REQUESTS",
    "AudioRequest",
    "BlendshapesRequest",
    "CoefficientsRequest",
    "CropRequest",
    "DecodeRequest",
    "EditRequest",
    "EncodeRequest",
    "FeaturesRequest",
    "MatteRequest",
    "MotionRequest",
    "MuxRequest",
    "Prepared",
    "ReenactRequest",
    "RenderRequest",
    "Request",
    "run",
]
