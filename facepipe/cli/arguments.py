"""Options shared by several commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facepipe.requests.groups import RUN


def _quiet(context: typer.Context, quiet: bool) -> bool:
    # The program and its command share `meta`, so -q works before and after the command's name.
    context.meta["facepipe.quiet"] = quiet or context.meta.get("facepipe.quiet", False)
    return bool(context.meta["facepipe.quiet"])


def complete_stages(incomplete: str) -> list[str]:
    """Complete the name of a stage."""
    from facepipe.stages import NAMES

    return [name for name in ("all", *NAMES) if name.startswith(incomplete)]


Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite", help="Replace existing files, even if facepipe did not write them.", rich_help_panel=RUN
    ),
]
Force = Annotated[
    list[str] | None,
    typer.Option(
        "--force",
        help="Run this stage again even if its result exists; all for every stage. Repeatable.",
        metavar="STAGE",
        rich_help_panel=RUN,
        autocompletion=complete_stages,
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print what would run and why, and write nothing.", rich_help_panel=RUN)
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print events to stdout as JSON, one per line.", rich_help_panel=RUN)
]
LogFile = Annotated[
    Path | None,
    typer.Option(
        "--log-file",
        help="Also append the events to this file, as --json prints them.",
        metavar="PATH",
        rich_help_panel=RUN,
        readable=False,
    ),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Print only results and errors.", callback=_quiet, rich_help_panel=RUN),
]
Work = Annotated[
    Path | None,
    typer.Option(
        "--work",
        help="Folder for work files (default: .facepipe).",
        metavar="PATH",
        rich_help_panel=RUN,
        readable=False,
    ),
]
