"""`facepipe train`: the trainings of the embedded weights, and their release as weight files."""

from __future__ import annotations

import os
from contextlib import ExitStack, redirect_stdout
from importlib import import_module
from pathlib import Path

import typer

from facepipe.cli import arguments as a
from facepipe.cli.guard import Verbose

app = typer.Typer(
    help="Train the weights that ship with facepipe, and release them as weight files.",
    rich_markup_mode=None,
    no_args_is_help=True,
)
# Each training parses its own arguments, so that it can also be started without installing this program.
PASS_THROUGH = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


def _start(training: str, context: typer.Context) -> None:
    """Run a training. With -q its progress is not printed."""
    with ExitStack() as stack:
        if context.meta.get("facepipe.quiet"):
            stack.enter_context(redirect_stdout(stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))))
        import_module(f"facepipe.train.{training}").main(context.args)


@app.command(context_settings=PASS_THROUGH)
def detector(context: typer.Context, _quiet: a.Quiet = False, _verbose: Verbose = False) -> None:
    """Train the face detector on composed scenes."""
    _start("detector", context)


@app.command(context_settings=PASS_THROUGH)
def landmarker(context: typer.Context, _quiet: a.Quiet = False, _verbose: Verbose = False) -> None:
    """Train the landmarker on the landmarks of a teacher."""
    _start("landmarker", context)


@app.command(context_settings=PASS_THROUGH)
def matting(context: typer.Context, _quiet: a.Quiet = False, _verbose: Verbose = False) -> None:
    """Train the matting network on the mattes of a teacher."""
    _start("matting", context)


@app.command(context_settings=PASS_THROUGH)
def renderings(context: typer.Context, _quiet: a.Quiet = False, _verbose: Verbose = False) -> None:
    """Render training images with new head poses and expressions for detector and landmarker."""
    _start("renderings", context)


@app.command(context_settings=PASS_THROUGH)
def pirender(context: typer.Context, _quiet: a.Quiet = False, _verbose: Verbose = False) -> None:
    """Train a PIRenderer network on a data set of head clips."""
    _start("pirender.command", context)


@app.command(context_settings=PASS_THROUGH)
def bilayer(context: typer.Context, _quiet: a.Quiet = False, _verbose: Verbose = False) -> None:
    """Train the compact bi-layer network on a data set of head clips."""
    _start("bilayer.command", context)


@app.command(context_settings=PASS_THROUGH)
def imf(context: typer.Context, _quiet: a.Quiet = False, _verbose: Verbose = False) -> None:
    """Train an implicit motion network on a data set of head clips."""
    _start("imf.command", context)


@app.command(context_settings=PASS_THROUGH)
def psi(context: typer.Context, _quiet: a.Quiet = False, _verbose: Verbose = False) -> None:
    """Train the map from coefficients to tokens of an IMF network."""
    _start("imf.psi", context)


@app.command("face-model", context_settings=PASS_THROUGH)
def face_model(context: typer.Context, _quiet: a.Quiet = False, _verbose: Verbose = False) -> None:
    """Build the linear face model from labelled faces."""
    _start("face_model", context)


@app.command("face-units", context_settings=PASS_THROUGH)
def face_units(context: typer.Context, _quiet: a.Quiet = False, _verbose: Verbose = False) -> None:
    """Transfer the face units of the CC0 head to the points of the face model."""
    _start("face_units", context)


@app.command("codec-tokens", context_settings=PASS_THROUGH)
def codec_tokens(context: typer.Context, _quiet: a.Quiet = False, _verbose: Verbose = False) -> None:
    """Compute the tokens of an IMF network for the table of .fpv streams."""
    _start("imf.codec_tokens", context)


@app.command("codec-tables", context_settings=PASS_THROUGH)
def codec_tables(context: typer.Context, _quiet: a.Quiet = False, _verbose: Verbose = False) -> None:
    """Fit the table with which .fpv streams code motion."""
    _start("codec_tables", context)


@app.command("expression-vae", context_settings=PASS_THROUGH)
def expression_vae(context: typer.Context, _quiet: a.Quiet = False, _verbose: Verbose = False) -> None:
    """Train the network that samples expressions and poses for `edit --random`."""
    _start("expression_vae", context)


@app.command(context_settings=PASS_THROUGH)
def audio(context: typer.Context, _quiet: a.Quiet = False, _verbose: Verbose = False) -> None:
    """Train the encoders and the normalizing flow that generate motion from sound."""
    _start("audio", context)


@app.command("avatar-pictures", context_settings=PASS_THROUGH)
def avatar_pictures(context: typer.Context, _quiet: a.Quiet = False, _verbose: Verbose = False) -> None:
    """Draw pictures of random avatars, from which the imitator learns."""
    _start("avatar_pictures", context)


@app.command("observed-portraits", context_settings=PASS_THROUGH)
def observed_portraits(context: typer.Context, _quiet: a.Quiet = False, _verbose: Verbose = False) -> None:
    """Observe portraits in the frame of their faces, for the mapper."""
    _start("observed_portraits", context)


@app.command(context_settings=PASS_THROUGH)
def mapper(context: typer.Context, _quiet: a.Quiet = False, _verbose: Verbose = False) -> None:
    """Train the mapper from portraits to vectors of avatars."""
    _start("mapper", context)


@app.command("code-pictures", context_settings=PASS_THROUGH)
def code_pictures(context: typer.Context, _quiet: a.Quiet = False, _verbose: Verbose = False) -> None:
    """Frame the stylised pictures of W+ codes, for the mapper of such codes."""
    _start("code_pictures", context)


@app.command("code-mapper", context_settings=PASS_THROUGH)
def code_mapper(context: typer.Context, _quiet: a.Quiet = False, _verbose: Verbose = False) -> None:
    """Train a mapper from W+ codes of your own encoder to vectors of avatars."""
    _start("code_mapper", context)


@app.command(context_settings=PASS_THROUGH)
def imitator(context: typer.Context, _quiet: a.Quiet = False, _verbose: Verbose = False) -> None:
    """Train the network that draws avatars as their engine does, and can be differentiated."""
    _start("imitator", context)


@app.command(context_settings=PASS_THROUGH)
def release(context: typer.Context, _quiet: a.Quiet = False, _verbose: Verbose = False) -> None:
    """Write the weight file of a finished training and register it with the embedded weights."""
    context.meta["facepipe.quiet"] = False  # It prints only the result.
    _start("release", context)
