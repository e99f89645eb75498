"""`facepipe avatar`: 3D heads that one can edit, animate and take away."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facepipe.cli import arguments as a
from facepipe.cli.guard import Verbose
from facepipe.cli.jobs import Running, report_results, run_job

app = typer.Typer(help="Make, edit and export 3D heads.", rich_markup_mode=None, no_args_is_help=True)

Params = Annotated[
    Path, typer.Argument(help="The avatar: a params.json.", metavar="ME.json", show_default=False, readable=False)
]
Out = Annotated[
    Path, typer.Option("-o", "--out", help="The file: .glb, .usdz or .obj.", show_default=False, readable=False)
]
Motion = Annotated[
    Path | None,
    typer.Option("--motion", help="Animate it: a motion file (.npz) in the space arkit52.", readable=False),
]
Texture = Annotated[
    Path | None,
    typer.Option(
        "--texture", help="Bake this portrait into the skin: a picture from the front, mouth closed.", readable=False
    ),
]
Copyright = Annotated[str, typer.Option("--copyright", help="Copyright line that is written into the file.")]


@app.command()
def export(
    params: Params,
    out: Out,
    motion: Motion = None,
    texture: Texture = None,
    copyright_line: Copyright = "",
    overwrite: a.Overwrite = False,
    quiet: a.Quiet = False,
    work: a.Work = None,
    _verbose: Verbose = False,
) -> None:
    """Export an avatar for other programs: glTF (.glb), USD (.usdz) or OBJ.

    glTF and USD have ARKit's 52 face units as morph targets and, with --motion, an animation of them and of the head.
    docs/avatar.md describes the files.
    """
    from facepipe.config import load_settings
    from facepipe.export.avatar_file import ExportOptions, export_avatar

    options = ExportOptions(params, out, motion, copyright_line, overwrite, texture)
    if texture is None:
        report_results(export_avatar(options), Running(quiet=quiet))
        return
    folder = Path(load_settings(flags={"work.folder": str(work) if work else None}).work.folder)
    identity = {"command": "avatar export", "avatar": str(params.absolute()), "out": str(out.absolute())}
    made: list[Path] = []
    run_job(identity, folder, lambda job: made.extend(export_avatar(options, job)), Running(quiet=quiet))
    report_results(made, Running(quiet=quiet))
