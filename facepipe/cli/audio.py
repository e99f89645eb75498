"""`facepipe audio`: one portrait says what a voice says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facepipe.cli import arguments as a
from facepipe.cli.guard import Verbose
from facepipe.cli.jobs import Running, delivery_of, fps_of, options_of, run_job, tell_results

Source = Annotated[
    Path, typer.Argument(help="The portrait: a picture, or a video one frame of which is taken.", readable=False)
]
Sound = Annotated[Path, typer.Argument(help="The voice: a sound file, or a video with sound.", readable=False)]
Samples = Annotated[int, typer.Option("--samples", help="How many takes to make, each different.", min=1, max=100)]
PoseFrom = Annotated[
    Path | None,
    typer.Option("--pose-from", help="Take the head's motion from a video or motion file.", readable=False),
]
Report = Annotated[
    Path | None,
    typer.Option("--report", help="Also draw sound, mouth, pose and frames on one PNG.", readable=False),
]


@a.accepting(*a.RENDERING, "fit", "face", "driver_face", "landmarker", *a.LIMITS, *a.PROVENANCE, speech=True)
def audio(
    source: Source,
    sound: Sound,
    given: a.Given,
    out: a.Out = None,
    samples: Samples = 1,
    pose_from: PoseFrom = None,
    report: Report = None,
    paste_back: a.PasteBack = False,
    sheet: a.Sheet = None,
    source_frame: a.SourceFrame = "best",
    overwrite: a.Overwrite = False,
    force: a.Force = None,
    dry_run: a.DryRun = False,
    as_json: a.AsJson = False,
    quiet: a.Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Let the face in SOURCE say what SOUND says.

    The result is a video with SOUND. Each of several --samples is a take of its own, as NAME-1.mp4 and so on.
    """
    from facepipe.pipeline.audio import Takes, prepare
    from facepipe.pipeline.audio import audio as make
    from facepipe.pipeline.dependencies import of_audio

    takes = Takes(delivery_of(given.speech), samples, fps_of(given.speech["fps"]), pose_from, report)
    options, work = options_of(
        given, paste_back=paste_back, sheet=sheet, source_frame=source_frame, overwrite=overwrite
    )
    out = out or Path(f"{source.stem}--{sound.stem}.mp4")
    names = {"source": str(source.absolute()), "sound": str(sound.absolute()), "out": str(out.absolute())}
    made: list[Path] = []
    running = Running(force, dry_run, as_json, quiet)
    run_job(
        {"command": "audio", **names},
        work,
        lambda job: made.extend(make(job, prepare(job, source, sound, out, options, takes))),
        running,
        of_audio(options, reports=report is not None),
    )
    tell_results([*made, *(path for path in (sheet, report) if path and samples == 1)], running)
