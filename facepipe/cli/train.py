"""`facepipe train`: the trainings of the embedded weights, and their release as weight files."""

from __future__ import annotations

from importlib import import_module

import typer

app = typer.Typer(
    help="Train the weights that ship with facepipe, and release them as weight files.",
    rich_markup_mode=None,
    no_args_is_help=True,
)
# Each training parses its own arguments, so that it can also be started without installing this program.
PASS_THROUGH = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


def _start(training: str, argv: list[str]) -> None:
    import_module(f"facepipe.train.{training}").main(argv)


@app.command(context_settings=PASS_THROUGH)
def detector(context: typer.Context) -> None:
    """Train the face detector on composed scenes."""
    _start("detector", context.args)


@app.command(context_settings=PASS_THROUGH)
def landmarker(context: typer.Context) -> None:
    """Train the landmarker on the landmarks of a teacher."""
    _start("landmarker", context.args)


@app.command(context_settings=PASS_THROUGH)
def renderings(context: typer.Context) -> None:
    """Render training images with new head poses and expressions for detector and landmarker."""
    _start("renderings", context.args)


@app.command(context_settings=PASS_THROUGH)
def pirender(context: typer.Context) -> None:
    """Train a PIRenderer network on a data set of head clips."""
    _start("pirender.command", context.args)


@app.command("face-model", context_settings=PASS_THROUGH)
def face_model(context: typer.Context) -> None:
    """Build the linear face model from labelled faces."""
    _start("face_model", context.args)


@app.command("expression-vae", context_settings=PASS_THROUGH)
def expression_vae(context: typer.Context) -> None:
    """Train the network that samples expressions and poses for `edit --random`."""
    _start("expression_vae", context.args)


@app.command(context_settings=PASS_THROUGH)
def audio(context: typer.Context) -> None:
    """Train the encoders and the normalizing flow that generate motion from sound."""
    _start("audio", context.args)


@app.command(context_settings=PASS_THROUGH)
def release(context: typer.Context) -> None:
    """Write the weight file of a finished training and register it with the embedded weights."""
    _start("release", context.args)
