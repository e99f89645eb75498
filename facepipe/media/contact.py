"""Contact sheets: frames of a clip in one picture."""

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from facepipe.media.decode import decode_frames
from facepipe.media.grid import resize
from facepipe.media.image import check_pixels
from facepipe.media.limits import NO_LIMITS
from facepipe.media.probe import probe_video

_LABEL_PIXELS = 16
_PAPER, _INK = 255, (0, 0, 0)
_GAP_PIXELS = 4


def contact_sheet(
    frames: Iterable[np.ndarray] | Path,
    *,
    columns: int = 4,
    labels: Sequence[str] = (),
    tile_height: int = 160,
    count: int = 12,
    caption: Callable[[float], str] | None = None,
) -> np.ndarray:
    """Arrange pictures (height, width, 3) uint8 RGB in rows, scaled to `tile_height` pixels, with labels below.

    For the path of a video, `count` evenly spaced frames are taken and labelled with their times in seconds and, if
    given, `caption(position)`, where position is in [0, 1] from the first to the last frame.
    Returns (height, width, 3) uint8 RGB.
    """
    if isinstance(frames, Path):
        frames, labels = _spread(frames, count, caption)
    tiles = []
    for frame in frames:
        check_pixels(frame)
        tiles.append(resize(frame, (max(round(frame.shape[1] * tile_height / frame.shape[0]), 1), tile_height)))
    if not tiles or columns < 1:
        raise ValueError(f"got {len(tiles)} pictures and {columns} columns, expected at least one of each")
    columns = min(columns, len(tiles))
    below = _LABEL_PIXELS if labels else 0
    step_x, step_y = max(tile.shape[1] for tile in tiles) + _GAP_PIXELS, tile_height + below + _GAP_PIXELS
    rows = math.ceil(len(tiles) / columns)
    sheet = np.full((rows * step_y + _GAP_PIXELS, columns * step_x + _GAP_PIXELS, 3), _PAPER, dtype=np.uint8)
    corners = [(_GAP_PIXELS + n % columns * step_x, _GAP_PIXELS + n // columns * step_y) for n in range(len(tiles))]
    for tile, (x, y) in zip(tiles, corners, strict=True):
        sheet[y : y + tile_height, x : x + tile.shape[1]] = tile
    return _with_labels(sheet, [(x, y + tile_height) for x, y in corners], labels) if labels else sheet


def _spread(path: Path, count: int, caption: Callable[[float], str] | None) -> tuple[list[np.ndarray], list[str]]:
    info = probe_video(path, NO_LIMITS)
    total = info.frame_count_estimate
    wanted = {(2 * n + 1) * total // (2 * count) for n in range(count)}
    # Decoding from the start is exact for every container, and a sheet is made only once per job.
    chosen = [(n, frame) for n, frame in enumerate(decode_frames(path, info=info)) if n in wanted]
    captions = [caption(n / max(total - 1, 1)) if caption else "" for n, _ in chosen]
    times = [f"{float(n / info.fps):.2f} s" for n, _ in chosen]
    return [frame for _, frame in chosen], [
        ": ".join(part for part in pair if part) for pair in zip(times, captions, strict=True)
    ]


def _with_labels(sheet: np.ndarray, corners: Sequence[tuple[int, int]], labels: Sequence[str]) -> np.ndarray:
    image = Image.fromarray(sheet)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default()
    for (x, y), label in zip(corners, labels, strict=False):
        pen.text((x, y + 1), label, fill=_INK, font=font)
    return np.array(image)
