"""Thumbnails: a small JPEG of a picture or video for HTML pages."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from facepipe.media.decode import decode_frames
from facepipe.media.files import kind_of
from facepipe.media.image import read_image
from facepipe.media.limits import DEFAULT_LIMITS
from facepipe.media.probe import probe_video


def still_of(path: Path, *, height_pixels: int = 120, quality: int = 75) -> bytes:
    """Return a JPEG of a picture or of the middle frame of a video, scaled to `height_pixels`.

    Raises InputError if the file is neither a picture nor a video.
    """
    pixels = _middle(path) if kind_of(path) == "video" else read_image(path, DEFAULT_LIMITS)
    height, width = pixels.shape[:2]
    size = (max(1, round(width * height_pixels / height)), height_pixels)
    stream = io.BytesIO()
    Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def _middle(path: Path) -> np.ndarray:
    info = probe_video(path, DEFAULT_LIMITS)
    frames = decode_frames(path, info=info, start_frame=info.frame_count_estimate // 2, frame_count=1)
    frame = next(frames, None)
    frames.close()
    return frame if frame is not None else next(decode_frames(path, info=info, frame_count=1))
