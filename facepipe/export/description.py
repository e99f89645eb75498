"""The files of an avatar beside its models: the texture, the description, the README and the sampler."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from facepipe import __version__
from facepipe.export.folder import FORMAT, README, SAMPLER, TEXTURE, VERSION
from facepipe.export.head import Head, as_numpy
from facepipe.export.models import FILES, Precision
from facepipe.media.image import as_png
from facepipe.spaces.keypoints68.landmarks import RAISE_RATIO

PARTS = {
    "jaw": (0, 16),
    "right_brow": (17, 21),
    "left_brow": (22, 26),
    "nose": (27, 35),
    "right_eye": (36, 41),
    "left_eye": (42, 47),
    "outer_lips": (48, 59),
    "inner_lips": (60, 67),
}
"""First and last keypoint of each part of the face; right is the person's right."""

TEXT = """# Avatar

One head, exported by facepipe {version}, which is not needed to draw it: `python sample.py frame.png` draws the source.

- `{models}`: keypoints to warp, low frequencies and mask, in ONNX. `avatar.json` names inputs, outputs and ranges.
- `texture.png`: the texture; high bytes on the left, low bytes on the right, in the range of `avatar.json`.
- `sample.py`: a frame = low frequencies + texture sampled at the places that the warp gives; mask = its opacity.
- Keypoints are 68 points (300-W) from -1 to 1 in a square around the head that stays the same for all frames.
- The person shown, and the licence of the weights (`avatar.json`), decide what you may do with it.
"""


def texture_file(head: Head) -> tuple[bytes, tuple[float, float]]:
    """Return the texture as PNG, and the values of its least and its greatest number. Nothing is clipped.

    The texture may exceed [-1, 1]. Its 16-bit numbers are split into two 8-bit pictures side by side, because 16-bit
    colour is not read by every program.
    """
    values = as_numpy(head.texture)[0].transpose(1, 2, 0).astype(np.float64)
    limit = float(max(1.0, np.abs(values).max()))
    numbers = np.round((values / limit + 1) / 2 * 65535).astype(np.uint16)
    pixels = np.concatenate([numbers >> 8, numbers & 255], axis=1).astype(np.uint8)
    return as_png(pixels), (-limit, limit)


def described(head: Head, precisions: Iterable[Precision], texture_range: tuple[float, float]) -> dict[str, Any]:
    """Return what a program needs to use the files."""
    side, box = head.config.side_pixels, head.box
    return {
        "format": FORMAT,
        "version": VERSION,
        "facepipe": __version__,
        "renderer": "bilayer",
        "side_pixels": side,
        "models": {name: {"file": FILES[name], "precision": _PRECISION[name]} for name in precisions},
        "input": {
            "name": "keypoints",
            "shape": [1, head.config.pose_inputs, 1, 1],
            "order": "x0, y0, x1, y1, ...; x to the right, y down",
            "range": [-1, 1],
            "harmonics": head.config.harmonics,
        },
        "outputs": {
            "warp": {
                "shape": [1, 2, side, side],
                "range": [-1, 1],
                "is": "x and y added to the place of a pixel in the texture, where -1 and 1 are its borders",
            },
            "low": {"shape": [1, 3, side, side], "range": [-1, 1], "is": "RGB added to the sampled texture"},
            "mask": {"shape": [1, 1, side, side], "range": [0, 1], "is": "opacity of the head"},
        },
        "sampling": "bilinear; pixel j is at (2 j + 1) / side - 1 (align_corners False); zero outside the texture",
        "texture": {
            "file": TEXTURE,
            "range": list(texture_range),
            "layout": "RGB; high bytes in the left half, low bytes in the right; 0 and 65535 are the ends of the range",
        },
        "keypoints": {"convention": "300-W, 68 points", "parts": {name: list(ends) for name, ends in PARTS.items()}},
        "crop": {
            "rule": "a square around the source's keypoints, fixed for all frames: half its side is the longer side of "
            "their bounding box; its middle is that of the bounding box, raised by raise_ratio times half the side",
            "raise_ratio": RAISE_RATIO,
            "keypoints": "-1 and 1 are the borders of the square",
            "box_in_crop": {"center_x": box.center_x, "center_y": box.center_y, "side": box.side, "unit": "pixels"},
        },
        "example": {"is": "the source's own keypoints", "keypoints": as_numpy(head.keypoints)[0].tolist()},
    }


_PRECISION = {
    "fp32": "float32",
    "fp16": "float16 weights, input and outputs",
    "int8": "static QDQ: int8 weights, one scale per channel; uint8 activations; float32 input and outputs",
}


def texts(precisions: Iterable[Precision]) -> Mapping[str, bytes]:
    """Return README and sampler."""
    models = "`, `".join(FILES[name] for name in precisions)
    sampler = Path(__file__).with_name(SAMPLER).read_bytes()
    return {README: TEXT.format(version=__version__, models=models).encode(), SAMPLER: sampler}
