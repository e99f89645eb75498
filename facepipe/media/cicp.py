"""Colours of still pictures that are tagged by code points (ITU-T H.273), as in AVIF and PNG, converted to sRGB."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from facepipe.media.colour import KNEE, MAX_NITS, WHITE_NITS, Colours

_HEAD_BYTES = 1 << 16
_PQ, _HLG = 16, 18
_NAMES = {_PQ: "PQ", _HLG: "HLG"}
_TAGS = {_PQ: "smpte2084", _HLG: "arib-std-b67", 9: "bt2020", 11: "smpte431", 12: "smpte432"}
_WIDE = {9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}
# From linear light in these primaries to BT.709.
_BT2020 = ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187))
_P3 = ((1.2249, -0.2247, 0.0), (-0.0420, 1.0419, 0.0), (-0.0197, -0.0786, 1.0979))
_TO_BT709 = {9: _BT2020, 11: _P3, 12: _P3}
_LUMINANCE = np.array((0.2627, 0.6780, 0.0593), np.float32)
_HLG_NITS = 1000


class CodePoints:
    """The code points of a picture's primaries and transfer function."""

    def __init__(self, primaries: int, transfer: int) -> None:
        self.primaries = primaries
        self.is_hdr = transfer in (_PQ, _HLG)
        self.transfer = transfer

    @property
    def name(self) -> str:
        """What is unusual about them; empty for colours that an sRGB display shows unchanged."""
        return _NAMES.get(self.transfer) or _WIDE.get(self.primaries, "")

    @property
    def colours(self) -> Colours:
        """The tags of a video with these colours."""
        return Colours(
            "rgb24", transfer=_TAGS.get(self.transfer, "bt709"), primaries=_TAGS.get(self.primaries, "bt709")
        )

    def to_srgb(self, pixels: np.ndarray) -> np.ndarray:
        """Convert (height, width, 3) uint8 RGB with these code points to sRGB, as the filters for video do."""
        light = self._linear()[pixels]
        if self.transfer == _HLG:
            # The display's gamma depends on the luminance of the scene.
            light *= ((light @ _LUMINANCE) ** 0.2)[..., None] * (_HLG_NITS / WHITE_NITS)
        light = np.maximum(light @ np.array(_TO_BT709.get(self.primaries, np.eye(3)), np.float32).T, 0)
        if self.is_hdr:
            brightest = np.maximum(light.max(-1, keepdims=True), 1e-6)
            light *= _roll_off(brightest) / brightest
            coded = light ** (1 / 2.4)
        else:
            coded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
        return np.asarray(np.rint(np.clip(coded, 0, 1) * 255), np.uint8)

    def _linear(self) -> np.ndarray:
        """Return the linear light of each of the 256 code values; 1 is reference white."""
        value = np.arange(256) / 255
        if self.transfer == _PQ:
            root = value ** (32 / 2523)
            light = (np.maximum(root - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * root)) ** (16384 / 2610)
            light *= MAX_NITS / WHITE_NITS
        elif self.transfer == _HLG:
            low, high = value**2 / 3, (np.exp((value - 0.55991073) / 0.17883277) + 0.28466892) / 12
            light = np.where(value <= 0.5, low, high)
        else:
            light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
        return np.asarray(light, np.float32)


def _roll_off(light: np.ndarray) -> np.ndarray:
    """Compress linear light above the knee, up to the maximum of PQ, into the range up to 1: a hyperbola."""
    peak = MAX_NITS / WHITE_NITS
    a = -(KNEE**2) * (peak - 1) / (KNEE**2 - 2 * KNEE + peak)
    b = (KNEE**2 - 2 * KNEE * peak + peak) / (peak - 1)
    scale = (b * b + 2 * b * KNEE + KNEE**2) / (b - a)
    return np.where(light <= KNEE, light, scale * (light + a) / (light + b))


def code_points_of(path: Path, kind: str) -> CodePoints | None:
    """Return the code points of a file that Pillow opens as `kind`; None if it has none that need a conversion."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if kind == "PNG" and (at := head.split(b"IDAT", 1)[0].find(b"cICP")) >= 0:
        primaries, transfer = struct.unpack_from(">BB", head, at + 4)
    elif kind == "AVIF" and 0 <= (at := head.find(b"colrnclx")) < len(head) - 12:
        primaries, transfer = struct.unpack_from(">HH", head, at + 8)
    else:
        return None
    found = CodePoints(primaries, transfer)
    return found if found.name else None
