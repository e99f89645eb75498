"""Options that several commands share, and how they are given to a command as one value."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from facepipe.motion.sliders import SLIDERS, unit_of
from facepipe.renderers import RENDERERS
from facepipe.spaces import SPACES

RENDERER_HELP = "Renderer: " + "; ".join(f"{spec.name} ({spec.about})" for spec in RENDERERS.values()) + "."
FACE, OUTPUT, MOTION, SLIDER, WORK = "Face", "Output", "Motion", "Sliders", "Work"

Out = Annotated[
    Path | None, typer.Option("-o", "--out", help="Where the result goes.", show_default=False, readable=False)
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a result that facepipe did not write.")]
Sheet = Annotated[
    Path | None, typer.Option("--sheet", help="Also write a contact sheet of the result (PNG).", readable=False)
]
Grid = Annotated[bool, typer.Option("--grid", help="Show source | driver | result beside each other.")]
PasteBack = Annotated[bool, typer.Option("--paste-back", help="Put the result back into the whole source picture.")]
SourceFrame = Annotated[
    str, typer.Option("--source-frame", help="Which frame of a source video: best, or a number from 0.")
]
Preset = Annotated[
    Path | None,
    typer.Option("--preset", help="Sliders from a file that `facepipe edit --save-preset` wrote.", readable=False),
]
Fps = Annotated[str, typer.Option("--fps", help="Frames a second, as 25 or 30000/1001.")]
Force = Annotated[list[str] | None, typer.Option("--force", help="Make this stage anew (or: all). May be repeated.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Tell what would run and why; make nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Tell events as JSON, one a line, on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Tell only what went wrong.")]
Work = Annotated[
    Path | None, typer.Option("--work", help="Folder of the work files (default: .facepipe).", readable=False)
]

# By parameter: the setting that the flag overrides, and the flag.
SETTINGS: Mapping[str, tuple[str, Any]] = {
    "size": (
        "output.size_pixels",
        Annotated[int | None, typer.Option(help="Width and height of the rendered face in pixels.", min=64, max=2048)],
    ),
    "quality": (
        "output.quality",
        Annotated[int | None, typer.Option(help="0 (smallest file) to 100 (best picture).", min=0, max=100)],
    ),
    "codec": ("output.codec", Annotated[str | None, typer.Option(help="h264, h265 or vp9.")]),
    "fit": (
        "output.fit",
        Annotated[str | None, typer.Option(help="Length where sound and pictures differ: shortest, driver or pad.")],
    ),
    "renderer": (
        "render.renderer",
        Annotated[str | None, typer.Option(help=RENDERER_HELP)],
    ),
    "weights": (
        "render.weights",
        Annotated[str | None, typer.Option(help="Registered network that draws, instead of the renderer's own.")],
    ),
    "compile": (
        "render.compile",
        Annotated[
            bool | None,
            typer.Option("--compile/--no-compile", help="Have torch compile the network: on a GPU, for long clips."),
        ],
    ),
    "face": (
        "face.face",
        Annotated[str | None, typer.Option(help="Which face: largest, left, right, or N from the left.")],
    ),
    "driver_face": (
        "face.driver_face",
        Annotated[str | None, typer.Option(help="Which face of the driver, likewise.")],
    ),
    "no_face": (
        "face.no_face",
        Annotated[str | None, typer.Option(help="Driver frames without a face: fail, hold, source or cut.")],
    ),
    "landmarker": (
        "face.landmarker",
        Annotated[str | None, typer.Option(help="What finds the landmarks: embedded or face-alignment (68 points).")],
    ),
    "space": (
        "face.space",
        Annotated[
            str | None,
            typer.Option(help=f"Motion space: {', '.join(SPACES)} (docs/official.md), or auto, the renderer's."),
        ],
    ),
    "smoothing": (
        "motion.smoothing",
        Annotated[
            str | None,
            typer.Option(
                help="Smooth the driver's motion: none, one-euro or savitzky-golay, which leaves lips nearly as quick "
                "as they are (default: the settings', and none in the space bfm)."
            ),
        ],
    ),
    "motion": (
        "motion.motion",
        Annotated[
            str | None,
            typer.Option(help="relative (change since the reference frame) or absolute; a picture drives absolutely."),
        ],
    ),
    "strength": ("motion.strength", Annotated[float | None, typer.Option(help="Factor on the motion.", min=0, max=3)]),
    "only": (
        "motion.only",
        Annotated[str | None, typer.Option(help="Take only this of the motion: expression or pose (or all).")],
    ),
    "scale": (
        "motion.scale",
        Annotated[str | None, typer.Option(help="Size and place of the head: source, adapt or driver.")],
    ),
    "reference": (
        "motion.reference",
        Annotated[
            str | None,
            typer.Option(help="Reference frame of relative motion: best (most like the source), first, or a number."),
        ],
    ),
    "max_pixels": (
        "media.max_pixels",
        Annotated[int | None, typer.Option(help="Largest picture or frame that is read, in pixels.", min=1)],
    ),
    "max_duration": (
        "media.max_duration_seconds",
        Annotated[float | None, typer.Option(help="Longest video that is read, in seconds.", min=0)],
    ),
    "work": ("work.folder", Work),
    "consent": (
        "provenance.consent",
        Annotated[
            Path | None,
            typer.Option(help="File with the consent of the person shown; its digest is recorded.", readable=False),
        ],
    ),
    "require_consent": (
        "provenance.require_consent",
        Annotated[bool | None, typer.Option("--require-consent/--no-require-consent", help="Refuse without consent.")],
    ),
    "certificate": (
        "provenance.certificate",
        Annotated[
            Path | None, typer.Option(help="Certificate chain (PEM) to sign the result with (C2PA).", readable=False)
        ],
    ),
    "key": (
        "provenance.key",
        Annotated[Path | None, typer.Option(help="Private key (PEM) of the certificate.", readable=False)],
    ),
}
# How something is said: parameters of `audio`, and of `motion` where sound drives.
SPEECH: Mapping[str, Any] = {
    "seed": Annotated[int, typer.Option(help="Another number, another take; the same, the same bytes.")],
    "temperature": Annotated[float, typer.Option(help="How far takes stray: 0 is the likeliest motion.", min=0, max=3)],
    "fps": Fps,
    "expression_strength": Annotated[float, typer.Option(help="Factor on the face's motion.", min=0, max=3)],
    "pose_strength": Annotated[float, typer.Option(help="Factor on the head's motion.", min=0, max=3)],
    "still": Annotated[bool, typer.Option("--still", help="Keep the head where it is.")],
    "lookahead": Annotated[
        int | None, typer.Option(help="Frames (at 25 a second) of coming sound that the face may know of.", min=0)
    ],
    "blinks": Annotated[bool, typer.Option(help="Blink, at human rates.")],
    "breath": Annotated[bool, typer.Option(help="Breathe.")],
    "smooth_head": Annotated[bool, typer.Option(help="Smooth the head's motion.")],
    "resting_lips": Annotated[bool, typer.Option(help="Rest the lips in silence, and keep them from crossing.")],
    "steady_lips": Annotated[
        bool, typer.Option(help="Stress what the sound tells of the face over what it leaves open.")
    ],
}
_SPEECH_DEFAULTS: Mapping[str, Any] = {
    "seed": 0,
    "temperature": 1.0,
    "fps": "25",
    "expression_strength": 1.0,
    "pose_strength": 1.0,
    "still": False,
    "lookahead": None,
} | dict.fromkeys(("blinks", "breath", "smooth_head", "resting_lips", "steady_lips"), True)
FLAG_NAMES = {key: f"--{name.replace('_', '-')}" for name, (key, _) in SETTINGS.items()}
FACES, LIMITS = ("face", "driver_face", "no_face", "landmarker", "smoothing"), ("max_pixels", "max_duration", "work")
MOTIONS = ("motion", "strength", "only", "scale", "reference")
PROVENANCE = ("consent", "require_consent", "certificate", "key")
RENDERING = ("size", "quality", "codec", "renderer", "weights", "compile", "space")

_SLIDER_HELP = {
    "yaw": "Turn the head; positive turns the nose to the left of the picture.",
    "pitch": "Nod; positive is down.",
    "roll": "Tilt the head; positive is clockwise.",
    "move_x": "Move the head to the right.",
    "move_y": "Move the head down.",
    "zoom": "Make the head larger or smaller.",
}


@dataclass(frozen=True)
class Given:
    """What was given of the shared options."""

    settings: Mapping[str, Any]
    """By "section.key"; None for what was not given."""
    sliders: Mapping[str, float]
    """The sliders that were given."""
    speech: Mapping[str, Any] = field(default_factory=dict)
    """All of SPEECH, for a command that takes it."""


Command = TypeVar("Command", bound=Callable[..., None])


def accepting(*settings: str, sliders: bool = False, speech: bool = False) -> Callable[[Command], Command]:
    """Give a command flags for these settings, for all sliders, and for how something is said.

    It gets them as its parameter `given`.
    """
    flags = {name: SETTINGS[name][1] for name in settings}
    if sliders:
        flags |= {name: _slider(name) for name in SLIDERS}
    if speech:
        flags |= SPEECH

    def extend(command: Command) -> Command:
        @wraps(command)
        def called(**values: Any) -> None:
            mine = {name: values.pop(name) for name in flags}
            work = mine.pop("work", None)
            given = {
                SETTINGS[name][0]: str(value) if isinstance(value, Path) else value
                for name, value in mine.items()
                if name in SETTINGS
            }
            moved = {name: mine[name] for name in SLIDERS if mine.get(name) is not None}
            said = {name: mine[name] for name in SPEECH} if speech else {}
            command(**values, given=Given({**given, "work.folder": str(work) if work else None}, moved, said))

        signature = inspect.signature(command)
        hints = get_type_hints(command, include_extras=True)
        own = [
            parameter.replace(annotation=hints[parameter.name], kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in signature.parameters.values()
            if parameter.name != "given"
        ]
        more = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=_SPEECH_DEFAULTS.get(name), annotation=flag)
            for name, flag in flags.items()
        ]
        # typer reads both.
        called.__signature__ = inspect.Signature([*own, *more])  # type: ignore[attr-defined]
        called.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *more)}
        return called  # type: ignore[return-value]

    return extend


def _slider(name: str) -> Any:
    unit = unit_of(name)
    told = _SLIDER_HELP.get(name, "")
    text = f"{told} In {unit}." if told and unit != "times" else told or "A control of the face; 1 is a strong one."
    return Annotated[
        float | None,
        typer.Option(f"--{name.replace('_', '-')}", help=text, metavar=unit.upper().replace(" ", "-") or "N"),
    ]
