"""Draw a frame of this avatar: python sample.py FRAME.png [fp32|fp16|int8]. Needs numpy, onnxruntime and Pillow."""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

FOLDER = Path(__file__).parent


def sampled(texture, x, y):  # type: ignore[no-untyped-def]
    """Return (H, W, 3) values at places in pixels of the texture: bilinear, zero outside it."""
    size, padded = len(texture), np.pad(texture, ((1, 1), (1, 1), (0, 0)))
    x, y = np.clip(x + 1, 0, size + 1), np.clip(y + 1, 0, size + 1)
    left, top = np.minimum(x.astype(int), size), np.minimum(y.astype(int), size)
    right, down = (x - left)[..., None], (y - top)[..., None]
    return sum(padded[top + i, left + j] * abs(1 - i - down) * abs(1 - j - right) for i in (0, 1) for j in (0, 1))


def frame(about, session, texture, keypoints):  # type: ignore[no-untyped-def]
    """Return the (S, S, 4) RGBA frame with straight alpha for (68, 2) keypoints in the box, from -1 to 1."""
    angles = np.outer(keypoints, np.pi * 2.0 ** np.arange(about["input"]["harmonics"])).ravel()
    values = np.concatenate([np.sin(angles), np.cos(angles)]) if angles.size else np.ravel(keypoints)
    kind = np.float16 if "float16" in session.get_inputs()[0].type else np.float32
    warp, low, mask = session.run(["warp", "low", "mask"], {"keypoints": values.astype(kind).reshape(1, -1, 1, 1)})
    y, x = np.mgrid[: len(texture), : len(texture)] + warp[0, ::-1].astype(np.float32) * len(texture) / 2
    colour = np.clip(low[0].transpose(1, 2, 0) + sampled(texture, x, y), -1, 1) * 0.5 + 0.5
    return np.round(np.dstack([colour, mask[0, 0].clip(0, 1)]) * 255).astype(np.uint8)


if __name__ == "__main__":
    ABOUT = json.loads((FOLDER / "avatar.json").read_text("utf-8"))
    MODEL = ABOUT["models"][sys.argv[2] if len(sys.argv) > 2 else next(iter(ABOUT["models"]))]
    HIGH, FINE = np.split(np.asarray(Image.open(FOLDER / ABOUT["texture"]["file"]), np.float32), 2, axis=1)
    TEXTURE = (HIGH * 256 + FINE) / 65535 * np.ptp(ABOUT["texture"]["range"]) + ABOUT["texture"]["range"][0]
    SESSION = onnxruntime.InferenceSession(str(FOLDER / MODEL["file"]), providers=["CPUExecutionProvider"])
    Image.fromarray(frame(ABOUT, SESSION, TEXTURE, ABOUT["example"]["keypoints"])).save(sys.argv[1])
