"""Flags that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a result that facepipe did not write.")]
Force = Annotated[list[str] | None, typer.Option("--force", help="Make this stage again (or: all). May be repeated.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would run and why; make nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print events as JSON, one a line, on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only what went wrong.")]
Work = Annotated[
    Path | None, typer.Option("--work", help="Folder of the work files (default: .facepipe).", readable=False)
]
