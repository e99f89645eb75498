"""Boards: rows of pictures with captions, and lines of text with samples of colour, in one picture of fixed width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from facepipe.media.grid import resize
from facepipe.media.image import check_pixels

Pixels = NDArray[np.uint8]
Rgb = tuple[int, int, int]
PAPER, INK, SOFT_INK = (255, 255, 255), (32, 35, 42), (105, 110, 122)
MARGIN_PIXELS, GAP_PIXELS, CAPTION_PIXELS, LINE_PIXELS, SAMPLE_PIXELS = 28, 14, 34, 40, 24
TEXT_PIXELS = 19


@dataclass(frozen=True, eq=False)
class Tile:
    """A picture with its caption."""

    picture: Pixels
    """(S, S, 3) sRGB."""
    caption: str


@dataclass(frozen=True)
class Entry:
    """A name and its value in a line of text, with a sample of colour before it if given."""

    name: str
    value: str = ""
    colour: Rgb | None = None


def board(rows: Sequence[Sequence[Tile]], lines: Sequence[Sequence[Entry]], width: int = 1600) -> Pixels:
    """Return a board (H, `width`, 3).

    The square tiles of a row fill its width together. Lines of entries follow below.
    """
    inner = width - 2 * MARGIN_PIXELS
    sides = [(inner - (len(row) - 1) * GAP_PIXELS) // len(row) for row in rows]
    height = 2 * MARGIN_PIXELS - GAP_PIXELS + sum(side + CAPTION_PIXELS + GAP_PIXELS for side in sides)
    image = Image.new("RGB", (width, height + LINE_PIXELS * len(lines)), PAPER)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(TEXT_PIXELS)
    top = MARGIN_PIXELS
    for row, side in zip(rows, sides, strict=True):
        for number, tile in enumerate(row):
            check_pixels(tile.picture)
            left = MARGIN_PIXELS + number * (inner - side) // max(len(row) - 1, 1)
            image.paste(Image.fromarray(resize(tile.picture, (side, side))), (left, top))
            place = (left + side / 2, top + side + CAPTION_PIXELS / 2)
            pen.text(place, tile.caption, fill=INK, font=font, anchor="mm")
        top += side + CAPTION_PIXELS + GAP_PIXELS
    for line in lines:
        _write(pen, font, line, top)
        top += LINE_PIXELS
    return np.array(image)


def _write(
    pen: ImageDraw.ImageDraw, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, line: Sequence[Entry], top: float
) -> None:
    left, middle = float(MARGIN_PIXELS), top + LINE_PIXELS / 2 - GAP_PIXELS / 2
    for entry in line:
        if entry.colour is not None:
            box = (left, middle - SAMPLE_PIXELS / 2, left + SAMPLE_PIXELS, middle + SAMPLE_PIXELS / 2)
            pen.rounded_rectangle(box, 5, fill=entry.colour, outline=(200, 203, 210))
            left += SAMPLE_PIXELS + 9
        for text, ink in ((entry.name, SOFT_INK), (entry.value, INK)):
            if text:
                pen.text((left, middle), text, fill=ink, font=font, anchor="lm")
                left += pen.textlength(text, font=font) + 7
        left += 22
