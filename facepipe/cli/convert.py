"""`facepipe convert`: coefficient files of other programs to motion files, and back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from facepipe.cli import arguments as a
from facepipe.cli.guard import Verbose
from facepipe.errors import InputError, UsageError

FPS = "25"
Source = Annotated[
    Path,
    typer.Argument(
        help="A .mat or .txt of PIRenderer or Deep3DFaceRecon, a .npy of DreamTalk, or a motion file (.npz)."
    ),
]
Out = Annotated[
    Path,
    typer.Option(
        "-o", "--out", help="The motion file (.npz), or a .mat, or a .txt with one frame.", show_default=False
    ),
]
Fps = Annotated[
    str, typer.Option("--fps", help="Frames per second of the motion; the files of other programs do not store it.")
]


def convert(
    source: Source,
    out: Out,
    fps: Fps = FPS,
    overwrite: a.Overwrite = False,
    _quiet: a.Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Convert coefficients of another program (motion space bfm) to a motion file (.npz), or back.

    docs/official.md describes the formats.
    """
    from facepipe.media.files import check_input, check_output, draft_of, make_parent
    from facepipe.requests.resolution import fps_of
    from facepipe.spaces import bfm
    from facepipe.spaces.bfm.coefficients import BfmCoefficients
    from facepipe.spaces.bfm.files import READ, WRITTEN, read_official, write_official
    from facepipe.spaces.files import load_coefficients, save_coefficients

    incoming = source.suffix in READ and out.suffix == ".npz"
    if not incoming and not (source.suffix == ".npz" and out.suffix in WRITTEN):
        raise UsageError(
            f"cannot convert {source} to {out}; expected {', '.join(READ)} with -o NAME.npz, or .npz with -o NAME and "
            f"the suffix {', '.join(WRITTEN)}"
        )
    rate = fps_of(fps)
    check_input(source)
    check_output(out, makes_folder=True)
    if out.exists() and not overwrite:
        raise InputError(f"{out} exists; choose another name, or use --overwrite")
    found = read_official(source, rate) if incoming else load_coefficients(source, space=bfm.SPACE)
    assert isinstance(found, BfmCoefficients)
    make_parent(out)
    with draft_of(out) as draft:
        (save_coefficients if incoming else write_official)(found, draft)
    typer.echo(os.fsencode(out))
