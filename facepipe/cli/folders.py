"""The arguments and formatting shared by commands that read a work folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[
    Path | None, typer.Argument(help="Work folder (default: .facepipe, or that of the settings).", readable=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def folder_of(work: Path | None) -> Path:
    """Return the work folder: the one given on the command line, else that of the settings."""
    from facepipe.config import load_settings

    return work or Path(load_settings().work.folder)
