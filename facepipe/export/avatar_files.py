"""Files of avatars beside exports: params.json, pictures, contact sheets. All that can be checked is checked first."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from facepipe.avatar.avatar import build
from facepipe.avatar.compiling import open_head
from facepipe.avatar.params import load_params, save_params
from facepipe.avatar.portrait import Pixels, Portraitist, portrait_camera
from facepipe.avatar.posing import head_rotation
from facepipe.avatar.units import JAW_OPEN, MOUTH_CLOSE, UNITS
from facepipe.avatar.vector import AvatarVector
from facepipe.errors import InputError, UsageError
from facepipe.media.files import check_output, draft_of, make_parent
from facepipe.media.image import write_image
from facepipe.media.origin import origin_metadata
from facepipe.rendering.background_rule import TRANSPARENT, colour_of

PICTURES, WITH_ALPHA = (".png", ".jpg", ".jpeg", ".webp"), (".png", ".webp")
SHEET_PIXELS = 256
MOST_ON_SHEET = 1000
SHEET_BACKGROUND = (0.9, 0.9, 0.92)


def write_avatars(vectors: Mapping[Path, AvatarVector], *, overwrite: bool, also: Iterable[Path] = ()) -> None:
    """Write avatars by path, all of them or none. `also` are further results, which are only checked.

    Raises UsageError for another suffix, InputError if a file exists and `overwrite` is not set.
    """
    for path in vectors:
        _check(path, (".json",), "a file of an avatar", overwrite=overwrite)
    for path in also:
        _check(path, (".png",), "a contact sheet", overwrite=overwrite)
        if len(vectors) > MOST_ON_SHEET:
            raise UsageError(f"--sheet shows at most {MOST_ON_SHEET} avatars, not {len(vectors)}; lower --count")
    digest = open_head().digest
    make_parent(next(iter(vectors)))
    with ExitStack() as drafts:
        for path, vector in vectors.items():
            save_params(vector, drafts.enter_context(draft_of(path)), head_digest=digest)


def draw_file(
    params: Path,
    out: Path,
    side_pixels: int,
    degrees: tuple[float, float, float],
    units: Sequence[str],
    background: str,
    *,
    overwrite: bool,
) -> None:
    """Draw the avatar of a file.

    Args:
        params: The avatar.
        out: The picture.
        side_pixels: Its width and height.
        degrees: Yaw, pitch and roll of the head.
        units: Weights of face units as NAME=WEIGHT.
        background: A colour, or transparent.
        overwrite: Whether to replace the picture.

    Raises UsageError for a unit, a weight, a background or a suffix that is not known, InputError for the files.
    """
    colour, weights = _colour(background, out), _weights(units)
    _check(out, PICTURES, "a picture", overwrite=overwrite)
    avatar = build(load_params(params), open_head())
    artist = Portraitist(avatar, portrait_camera(avatar), side_pixels)
    picture = artist.draw(weights, head_rotation(*degrees), background=colour)
    make_parent(out)
    with draft_of(out) as draft:
        write_image(draft, picture, metadata=origin_metadata())


def draw_sheet(vectors: Sequence[AvatarVector], out: Path) -> None:
    """Draw a contact sheet of avatars at rest."""
    head = open_head()
    pictures = []
    for vector in vectors:
        avatar = build(vector, head)
        artist = Portraitist(avatar, portrait_camera(avatar), SHEET_PIXELS)
        pictures.append(artist.draw(rotation=head_rotation(18, 0, 0), background=SHEET_BACKGROUND))
    make_parent(out)
    with draft_of(out) as draft:
        write_image(draft, _laid_out(pictures), metadata=origin_metadata())


def _laid_out(pictures: Sequence[Pixels]) -> Pixels:
    columns = min(len(pictures), max(1, round(np.sqrt(1.6 * len(pictures)))))
    empty = np.full_like(pictures[0], 255)
    rows = [list(pictures[start : start + columns]) for start in range(0, len(pictures), columns)]
    rows[-1] += [empty] * (columns - len(rows[-1]))
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def _check(path: Path, suffixes: Sequence[str], what: str, *, overwrite: bool) -> None:
    if path.suffix.lower() not in suffixes:
        raise UsageError(f"{path} is {what}; expected a name that ends in {', '.join(suffixes)}")
    check_output(path, makes_folder=True)
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists; choose another name with -o, or use --overwrite")


def _colour(background: str, out: Path) -> tuple[float, float, float] | None:
    if background == TRANSPARENT:
        if out.suffix.lower() not in WITH_ALPHA:
            raise UsageError(f"--background is transparent, but {out} has no alpha; use a name ending in .png or .webp")
        return None
    digits = colour_of(background)
    if not digits:
        raise UsageError(f"--background is {background!r}, expected white, black, '#RRGGBB' in quotes, or transparent")
    red, green, blue = (int(digits[start : start + 2], 16) / 255 for start in (1, 3, 5))
    return red, green, blue


def _weights(units: Sequence[str]) -> np.ndarray:
    weights = np.zeros(len(UNITS), np.float32)
    for text in units:
        name, _, value = text.partition("=")
        try:
            weight = float(value)
        except ValueError:
            weight = -1.0
        if name not in UNITS or not 0 <= weight <= 1:
            near = [one for one in UNITS if one.lower() == name.lower()] or difflib.get_close_matches(name, UNITS, 3)
            hint = f"; did you mean {' or '.join(near)}?" if near and name not in UNITS else ""
            raise UsageError(f"--unit is {text!r}, expected NAME=WEIGHT, an ARKit name and a number from 0 to 1{hint}")
        weights[UNITS.index(name)] = weight
    if weights[MOUTH_CLOSE] and not weights[JAW_OPEN]:
        raise UsageError(
            "--unit mouthClose brings together the lips of an open jaw, and has no effect without jawOpen; add --unit "
            f"jawOpen={weights[MOUTH_CLOSE]:g}, or leave it out"
        )
    return weights
