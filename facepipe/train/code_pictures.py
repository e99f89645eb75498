"""Codes with their stylised pictures, from which the mapper of W+ codes learns.

    facepipe train code-pictures --codes CODES --pictures PICTURES --out CODES.npz

CODES holds one NAME.npy for each portrait, its W+ code (18, 512) by e4e. PICTURES holds NAME.png or NAME.jpg, the
picture that your stylised generator draws of that code. Each face is found and brought to its frame, as
`facepipe avatar create` does it, before the plain background of avatars. Pictures without a face, and those without a
code, are left out and listed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import cv2
import numpy as np
from numpy.typing import NDArray

from facepipe.creation.observation import Observation
from facepipe.creation.stylised import before_background
from facepipe.errors import InputError
from facepipe.media.image import read_image
from facepipe.models.avatar_mapper import WPLUS_CODES, WPLUS_WIDTH
from facepipe.stages import create as creation
from facepipe.train.command import parser_of
from facepipe.train.observed_portraits import Observer

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
FEWEST = 3
"""Number of codes that a training needs: one to learn from and two to judge by."""


@dataclass(frozen=True, eq=False)
class CodePictures:
    """N codes with pictures in the frame of the face (`facepipe.creation.observation.face_frame`)."""

    codes: Floats
    """(N, 18, 512)."""
    pictures: Pixels
    """(N, S, S, 3) RGB before the background `facepipe.avatar.framing.PLAIN`."""
    inside: Pixels
    """(N, S, S), 255 inside of the picture that was framed, 0 beyond its edges."""

    def __len__(self) -> int:
        return len(self.codes)

    def save(self, path: Path) -> None:
        """Write an .npz that `load_code_pictures` reads."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            np.savez(file, codes=self.codes, pictures=self.pictures, inside=self.inside)


def load_code_pictures(path: Path, side_pixels: int) -> CodePictures:
    """Read `codes`, `pictures` and, if it is there, `inside` from an .npz; pictures get the side that is given.

    Raises InputError, saying what was expected, for another file.
    """
    try:
        file = np.load(path, allow_pickle=False)
        if isinstance(file, np.ndarray):
            raise ValueError("it holds a single array")
        with file:
            arrays: dict[str, NDArray[Any]] = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise InputError(f"{path}: is no .npz of NumPy ({error}); make one by `facepipe train code-pictures`") from None
    missing = [name for name in ("codes", "pictures") if name not in arrays]
    if missing:
        raise InputError(f"{path}: lacks {' and '.join(missing)}; make one by `facepipe train code-pictures`")
    codes, pictures = arrays["codes"], arrays["pictures"]
    inside = arrays.get("inside", np.full(pictures.shape[:3], 255, np.uint8))
    _check(path, codes, pictures, inside)
    return CodePictures(
        codes.astype(np.float32), _resized(pictures, side_pixels), _resized(inside, side_pixels).astype(np.uint8)
    )


def _check(path: Path, codes: NDArray[Any], pictures: NDArray[Any], inside: NDArray[Any]) -> None:
    if codes.dtype.kind != "f" or codes.shape[1:] != (WPLUS_CODES, WPLUS_WIDTH) or not np.isfinite(codes).all():
        raise InputError(
            f"{path}: codes are {codes.shape} of {codes.dtype}, expected finite floats (N, {WPLUS_CODES}, "
            f"{WPLUS_WIDTH})"
        )
    square = pictures.ndim == 4 and pictures.shape[1] == pictures.shape[2] and pictures.shape[3] == 3
    if pictures.dtype != np.uint8 or not square or len(pictures) != len(codes):
        raise InputError(
            f"{path}: pictures are {pictures.shape} of {pictures.dtype}, expected uint8 ({len(codes)}, S, S, 3)"
        )
    if inside.dtype != np.uint8 or inside.shape != pictures.shape[:3]:
        raise InputError(
            f"{path}: inside is {inside.shape} of {inside.dtype}, expected uint8 {pictures.shape[:3]}, or none"
        )
    if len(codes) < FEWEST:
        raise InputError(f"{path}: has {len(codes)} codes, expected {FEWEST} or more; hundreds are needed to learn")


def _resized(planes: NDArray[Any], side: int) -> Pixels:
    if planes.shape[1] == side:
        return planes
    way = cv2.INTER_AREA if planes.shape[1] > side else cv2.INTER_LINEAR
    return np.stack([cv2.resize(one, (side, side), interpolation=way) for one in planes])


def framed(observation: Observation) -> tuple[Pixels, Pixels]:
    """Return the picture (256, 256, 3) of an observation before the plain background, and its inside (256, 256)."""
    inside = np.round(observation.inside * 255).astype(np.uint8)
    return before_background(observation.picture, observation.matte), inside


def pairs_of(codes: Path, pictures: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the files of each code and its picture, in the order of names. Raises InputError if there are none."""
    for folder in (codes, pictures):
        if not folder.is_dir():
            raise InputError(f"{folder}: is no folder; expected one file for each portrait in it")
    found = {path.stem: path for path in sorted(pictures.iterdir()) if path.suffix.lower() in SUFFIXES}
    files = {path.stem: path for path in sorted(codes.glob("*.npy"))}
    for name in sorted(found.keys() ^ files.keys()):
        print(f"{name}: {'no code' if name in found else 'no picture'}", flush=True)
    both = sorted(found.keys() & files.keys())
    if not both:
        raise InputError(
            f"{pictures}: no picture NAME.png or NAME.jpg has a code NAME.npy in {codes}; give them equal names"
        )
    yield from ((files[name], found[name]) for name in both)


def collect(codes: Path, pictures: Path, observe: Callable[[Pixels], Observation | None]) -> CodePictures:
    """Return the codes of a folder with the pictures of another one, framed. Raises InputError."""
    rows: list[tuple[Floats, Pixels, Pixels]] = []
    for code, picture in pairs_of(codes, pictures):
        seen = observe(read_image(picture))
        if seen is None:
            print(f"{picture.name}: no face", flush=True)
            continue
        rows.append((creation.load_code(code), *framed(seen)))
    if len(rows) < FEWEST:
        raise InputError(f"{pictures}: {len(rows)} pictures show a face and have a code, expected {FEWEST} or more")
    return CodePictures(*(np.stack(column) for column in zip(*rows, strict=True)))


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = parser_of("code-pictures", __doc__)
    parser.add_argument("--codes", type=Path, required=True, help="Folder of W+ codes, NAME.npy.", metavar="PATH")
    parser.add_argument(
        "--pictures", type=Path, required=True, help="Folder of their stylised pictures.", metavar="PATH"
    )
    parser.add_argument("--out", type=Path, required=True, help="File to write.", metavar="CODES.npz")
    arguments = parser.parse_args(argv)
    cv2.setNumThreads(1)
    found = collect(arguments.codes, arguments.pictures, Observer().observe)
    found.save(arguments.out)
    print(f"{len(found)} codes with pictures in {arguments.out}", flush=True)


if __name__ == "__main__":
    main()
