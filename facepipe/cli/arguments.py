"""Options shared by several commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace existing files, even if facepipe did not write them.")
]
Force = Annotated[
    list[str] | None,
    typer.Option("--force", help="Run this stage again even if its result exists; all for every stage. Repeatable."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would run and why, and write nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print events to stdout as JSON, one per line.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only errors.")]
Work = Annotated[
    Path | None, typer.Option("--work", help="Folder for work files (default: .facepipe).", readable=False)
]
