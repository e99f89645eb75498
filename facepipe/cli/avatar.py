"""`facepipe avatar`: 3D heads that one can edit, animate and take away."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from facepipe.cli import arguments as a
from facepipe.cli.commands import command_of
from facepipe.cli.completion import complete_changes, complete_units
from facepipe.cli.guard import Verbose
from facepipe.cli.jobs import Running, report_results, run_job
from facepipe.requests.creation import CreateRequest

app = typer.Typer(help="Make, edit and export 3D heads.", rich_markup_mode=None, no_args_is_help=True)

Params = Annotated[
    Path, typer.Argument(help="The avatar: a params.json.", metavar="ME.json", show_default=False, readable=False)
]
Out = Annotated[
    Path, typer.Option("-o", "--out", help="The file: .glb, .usdz or .obj.", show_default=False, readable=False)
]
PictureOut = Annotated[
    Path, typer.Option("-o", "--out", help="Picture: .png, .jpg or .webp.", show_default=False, readable=False)
]
ParamsOut = Annotated[
    Path, typer.Option("-o", "--out", help="File of the new avatar, a .json.", show_default=False, readable=False)
]
FolderOut = Annotated[
    Path, typer.Option("-o", "--out", help="Folder of the avatars.", show_default=False, readable=False)
]
Changes = Annotated[
    list[str],
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        autocompletion=complete_changes,
        show_default=False,
        help="Change: a slider (head_width=0.7), a colour (skin=tan, eyes=0.4,0.9) or an asset (hair=bob). Repeatable.",
    ),
]
Units = Annotated[
    list[str] | None,
    typer.Option(
        "--unit",
        metavar="NAME=WEIGHT",
        autocompletion=complete_units,
        show_default=False,
        help="Weight of a face unit by its ARKit name, such as jawOpen=0.4. Repeatable.",
    ),
]
Degrees = Annotated[float, typer.Option(help="Rotation of the head in degrees.", min=-90, max=90)]
Size = Annotated[int, typer.Option(help="Width and height in pixels.", metavar="N", min=16, max=4096)]
BackgroundOption = Annotated[str, typer.Option(help="white, black, a colour as '#RRGGBB' in quotes, or transparent.")]
Count = Annotated[int, typer.Option("-n", "--count", help="Number of avatars.", min=1, max=10000)]
Seed = Annotated[int, typer.Option(help="Seed of the first avatar; each further one has the next.", min=0)]
SheetOption = Annotated[Path | None, typer.Option(help="Also write a contact sheet, a .png.", readable=False)]
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


app.command("create")(command_of(CreateRequest))


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


@app.command()
def render(
    params: Params,
    out: PictureOut,
    size: Size = 512,
    yaw: Degrees = 0.0,
    pitch: Degrees = 0.0,
    roll: Degrees = 0.0,
    unit: Units = None,
    background: BackgroundOption = "#e6e7ec",
    overwrite: a.Overwrite = False,
    _quiet: a.Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Draw an avatar in a pose and an expression.

    `facepipe edit ME.json` has named expressions and sweeps, and `facepipe reenact ME.json DRIVER` follows a driver.
    """
    from facepipe.export.avatar_files import draw_file

    draw_file(params, out, size, (yaw, pitch, roll), unit or [], background, overwrite=overwrite)
    typer.echo(os.fsencode(out))


@app.command()
def edit(
    params: Params,
    out: ParamsOut,
    changes: Changes,
    overwrite: a.Overwrite = False,
    _quiet: a.Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Change sliders, colours and assets of an avatar. `facepipe avatar assets` lists all."""
    from facepipe.avatar.changes import changed
    from facepipe.avatar.params import load_params
    from facepipe.export.avatar_files import write_avatars

    write_avatars({out: changed(load_params(params), changes)}, overwrite=overwrite)
    typer.echo(os.fsencode(out))


@app.command()
def sample(
    out: FolderOut,
    count: Count = 1,
    seed: Seed = 1,
    sheet: SheetOption = None,
    overwrite: a.Overwrite = False,
    _quiet: a.Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Make random avatars: OUT/avatar-SEED.json. One seed always gives the same avatar."""
    from facepipe.avatar.sampling import sample as sampled
    from facepipe.export.avatar_files import draw_sheet, write_avatars

    vectors = {out / f"avatar-{number}.json": sampled(number) for number in range(seed, seed + count)}
    write_avatars(vectors, overwrite=overwrite, also=[sheet] if sheet else [])
    if sheet:
        draw_sheet(list(vectors.values()), sheet)
    for path in [*vectors, *([sheet] if sheet else [])]:
        typer.echo(os.fsencode(path))


@app.command()
def assets(as_json: a.AsJson = False, _quiet: a.Quiet = False, _verbose: Verbose = False) -> None:
    """List sliders, colours and assets."""
    from facepipe.avatar.assets import ASSETS
    from facepipe.avatar.colours import PALETTES
    from facepipe.avatar.sliders import SLIDERS

    if as_json:
        sliders = {
            one.name: {"about": one.about, "low": one.low, "high": one.high, "neutral": one.neutral} for one in SLIDERS
        }
        colours = {
            one.name: {"about": one.about, "neutral": one.neutral, "swatches": dict(one.swatches)}
            for one in PALETTES.values()
        }
        options = {type_: list(names) for type_, names in ASSETS.items()}
        typer.echo(json.dumps({"sliders": sliders, "colours": colours, "assets": options}))
        return
    for line in _listed():
        typer.echo(line)


def _listed() -> Iterator[str]:
    """Yield the lines of the list."""
    from facepipe.avatar.assets import ASSETS
    from facepipe.avatar.colours import PALETTES
    from facepipe.avatar.sliders import SLIDERS

    yield "Sliders, from 0 to 1:"
    for one in SLIDERS:
        yield f"  {one.name:20} {one.about}: {one.low} to {one.high}, neutral {one.neutral:g}"
    yield "Colours, by name or as LIGHTNESS,TONE, each from 0 to 1:"
    for palette in PALETTES.values():
        yield f"  {palette.name:20} {palette.about}: {', '.join(palette.swatches)}"
    yield "Assets:"
    for type_, options in ASSETS.items():
        yield f"  {type_:20} {', '.join(options)}"
