"""Options that several commands share, and how they become what a job is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

FACE, OUTPUT, MOTION, WORK = "Face", "Output", "Motion", "Work"

Out = Annotated[Path | None, typer.Option("-o", "--out", help="Where the result goes.", show_default=False)]
Size = Annotated[
    int | None, typer.Option("--size", help="Width and height of the rendered face in pixels.", min=64, max=2048)
]
Quality = Annotated[
    int | None, typer.Option("--quality", help="0 (smallest file) to 100 (best picture).", min=0, max=100)
]
Codec = Annotated[str | None, typer.Option("--codec", help="h264, h265 or vp9.")]
Fit = Annotated[
    str | None, typer.Option("--fit", help="Length where sound and pictures differ: shortest, driver or pad.")
]
Renderer = Annotated[str | None, typer.Option("--renderer", help="What draws the frames: mesh.")]
Face = Annotated[
    str | None, typer.Option("--face", help="Which face of the source: largest, left, right, or N from the left.")
]
DriverFace = Annotated[str | None, typer.Option("--driver-face", help="Which face of the driver, likewise.")]
NoFace = Annotated[
    str | None, typer.Option("--no-face", help="Driver frames without a face: fail, hold, source or cut.")
]
SourceFrame = Annotated[
    str, typer.Option("--source-frame", help="Which frame of a source video: best, or a number from 0.")
]
Smoothing = Annotated[
    str | None, typer.Option("--smoothing", help="Smooth the driver's motion: none, one-euro or savitzky-golay.")
]
MaxPixels = Annotated[
    int | None, typer.Option("--max-pixels", help="Largest picture or frame that is read, in pixels.", min=1)
]
MaxDuration = Annotated[
    float | None, typer.Option("--max-duration", help="Longest video that is read, in seconds.", min=0)
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a result that facepipe did not write.")]
Sheet = Annotated[Path | None, typer.Option("--sheet", help="Also write a contact sheet of the result (PNG).")]
Grid = Annotated[bool, typer.Option("--grid", help="Show source | driver | result beside each other.")]
PasteBack = Annotated[bool, typer.Option("--paste-back", help="Put the result back into the whole source picture.")]
Force = Annotated[list[str] | None, typer.Option("--force", help="Make this stage anew (or: all). May be repeated.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Tell what would run and why; make nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Tell events as JSON, one a line, on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Tell only what went wrong.")]
Work = Annotated[Path | None, typer.Option("--work", help="Folder of the work files (default: .facepipe).")]
