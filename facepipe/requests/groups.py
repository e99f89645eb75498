"""Options that several requests share, in groups that a request takes as base classes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from facepipe.renderers import RENDERERS
from facepipe.requests.declaration import from_setting, option
from facepipe.spaces import SPACES

RENDERER_HELP = "Renderer: " + "; ".join(f"{spec.name} ({spec.about})" for spec in RENDERERS.values()) + "."


@dataclass(frozen=True, kw_only=True)
class Size:
    """The size of the rendered face."""

    size: int | None = from_setting("output.size_pixels", "Width and height of the rendered face in pixels.")


@dataclass(frozen=True, kw_only=True)
class Quality:
    """The quality of the result."""

    quality: int | None = from_setting("output.quality", "0 (smallest file) to 100 (best picture).")


@dataclass(frozen=True, kw_only=True)
class Space:
    """The motion space."""

    space: str | None = from_setting(
        "face.space", f"Motion space: {', '.join(SPACES)} (docs/official.md), or auto, the renderer's."
    )


@dataclass(frozen=True, kw_only=True)
class Network:
    """The renderer and its network."""

    renderer: str | None = from_setting("render.renderer", RENDERER_HELP)
    weights: str | None = from_setting(
        "render.weights", "Registered network that draws, instead of the renderer's own."
    )
    compile: bool | None = from_setting("render.compile", "Have torch compile the network: on a GPU, for long clips.")


@dataclass(frozen=True, kw_only=True)
class Rendering(Size, Quality, Space, Network):
    """How frames are rendered and encoded."""

    codec: str | None = from_setting("output.codec", "h264, h265 or vp9.")


@dataclass(frozen=True, kw_only=True)
class Fit:
    """The length of the result."""

    fit: str | None = from_setting("output.fit", "Length where sound and pictures differ: shortest, driver or pad.")


@dataclass(frozen=True, kw_only=True)
class Face:
    """How the face is found."""

    face: str | None = from_setting("face.face", "Which face: largest, left, right, or N from the left.")
    landmarker: str | None = from_setting(
        "face.landmarker", "What finds the landmarks: embedded or face-alignment (68 points)."
    )


@dataclass(frozen=True, kw_only=True)
class DriverFace:
    """The face of the driver."""

    driver_face: str | None = from_setting(
        "face.driver_face", "Which face of the driver: largest, left, right, or N from the left."
    )


@dataclass(frozen=True, kw_only=True)
class NoFace:
    """Frames without a face."""

    no_face: str | None = from_setting("face.no_face", "Driver frames without a face: fail, hold, source or cut.")


@dataclass(frozen=True, kw_only=True)
class Smoothing:
    """Smoothing of the driver's motion."""

    smoothing: str | None = from_setting(
        "motion.smoothing",
        "Smooth the driver's motion: none, one-euro or savitzky-golay, which hardly slows the lips (default: the "
        "setting, and none in the space bfm).",
    )


@dataclass(frozen=True, kw_only=True)
class Amount:
    """How much of the driver's motion is used."""

    strength: float | None = from_setting("motion.strength", "Factor on the motion.")
    only: str | None = from_setting("motion.only", "Use only this part of the motion: expression or pose (or all).")


@dataclass(frozen=True, kw_only=True)
class Retargeting(Amount):
    """How the driver's motion is transferred."""

    motion: str | None = from_setting(
        "motion.motion", "relative (change since the reference frame) or absolute; a picture drives absolutely."
    )
    scale: str | None = from_setting("motion.scale", "Size and place of the head: source, adapt or driver.")
    reference: str | None = from_setting(
        "motion.reference", "Reference frame of relative motion: best (most like the source), first, or a number."
    )


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits on what is read, and the work folder."""

    max_pixels: int | None = from_setting("media.max_pixels", "Largest picture or frame that is read, in pixels.")
    max_duration: float | None = from_setting("media.max_duration_seconds", "Longest video that is read, in seconds.")
    work: Path | None = from_setting("work.folder", "Folder of the work files (default: .facepipe).", in_rows=False)


@dataclass(frozen=True, kw_only=True)
class Consent:
    """The consent of the person shown."""

    consent: Path | None = from_setting(
        "provenance.consent", "File with the consent of the person shown; its digest is recorded.", reads=True
    )
    require_consent: bool | None = from_setting("provenance.require_consent", "Refuse without consent.")


@dataclass(frozen=True, kw_only=True)
class Provenance(Consent):
    """Consent and signature."""

    certificate: Path | None = from_setting(
        "provenance.certificate", "Certificate chain (PEM) to sign the result with (C2PA)."
    )
    key: Path | None = from_setting("provenance.key", "Private key (PEM) of the certificate.")


@dataclass(frozen=True, kw_only=True)
class SpeechOptions:
    """How something is said: options of `audio`, and of `motion` where sound drives."""

    seed: int = option("Another number, another take; the same number, the same bytes.", default=0)
    temperature: float = option("How far takes vary: 0 is the likeliest motion.", default=1.0, minimum=0, maximum=3)
    fps: str = option("Frames a second, as 25 or 30000/1001.", default="25")
    expression_strength: float = option("Factor on the face's motion.", default=1.0, minimum=0, maximum=3)
    pose_strength: float = option("Factor on the head's motion.", default=1.0, minimum=0, maximum=3)
    still: bool = option("Keep the head where it is.", default=False)
    lookahead: int | None = option(
        "Frames (at 25 a second) of coming sound that the face may use.", default=None, minimum=0
    )
    blinks: bool = option("Blink, at human rates.", default=True)
    breath: bool = option("Breathe.", default=True)
    smooth_head: bool = option("Smooth the head's motion.", default=True)
    resting_lips: bool = option("Rest the lips in silence, and keep them from crossing.", default=True)
    steady_lips: bool = option("Stress what the sound says about the face over what it leaves open.", default=True)
