"""`facepipe train`: the trainings that made the embedded weights, and the making of weights from them."""

from __future__ import annotations

from importlib import import_module

import typer

app = typer.Typer(
    help="Make the weights that ship with facepipe: train, then release.", rich_markup_mode=None, no_args_is_help=True
)
# Each training reads its own words, so that it can also be started where this program is not installed.
WORDS = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


def _start(training: str, words: list[str]) -> None:
    import_module(f"facepipe.train.{training}").main(words)


@app.command(context_settings=WORDS)
def detector(context: typer.Context) -> None:
    """Train the face detector on composed scenes."""
    _start("detector", context.args)


@app.command(context_settings=WORDS)
def landmarker(context: typer.Context) -> None:
    """Train the landmarker on a teacher's points."""
    _start("landmarker", context.args)


@app.command(context_settings=WORDS)
def renderings(context: typer.Context) -> None:
    """Render turned heads and borrowed expressions for the training of perception."""
    _start("renderings", context.args)


@app.command(context_settings=WORDS)
def pirender(context: typer.Context) -> None:
    """Train the renderer on a data set of head clips."""
    _start("pirender.command", context.args)


@app.command("face-model", context_settings=WORDS)
def face_model(context: typer.Context) -> None:
    """Build the linear face model from labelled faces."""
    _start("face_model", context.args)


@app.command("expression-vae", context_settings=WORDS)
def expression_vae(context: typer.Context) -> None:
    """Train what draws expressions and poses for `edit --random`."""
    _start("expression_vae", context.args)


@app.command(context_settings=WORDS)
def flow(context: typer.Context) -> None:
    """Train the flow that moves a face by sound."""
    _start("flow", context.args)


@app.command(context_settings=WORDS)
def release(context: typer.Context) -> None:
    """Make a weight file of a finished training, and register it among the embedded ones."""
    _start("release", context.args)
