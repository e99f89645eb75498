"""Options shared by several requests, as base classes of the requests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from facepipe.face.rule import is_reference
from facepipe.renderers import RENDERERS
from facepipe.requests.declaration import from_setting, option
from facepipe.spaces import SPACES

SPACE_HELP = "; ".join(f"{space.name} ({space.about})" for space in SPACES.values())

RENDERER_HELP = "Renderer: " + "; ".join(f"{spec.name} ({spec.about})" for spec in RENDERERS.values()) + "."


@dataclass(frozen=True, kw_only=True)
class Size:
    """The size of the rendered face."""

    size: int | None = from_setting("output.size_pixels", "Width and height of the rendered face in pixels.")


@dataclass(frozen=True, kw_only=True)
class Quality:
    """The quality of the result."""

    quality: int | None = from_setting("output.quality", "Quality from 0 (smallest file) to 100 (best picture).")


@dataclass(frozen=True, kw_only=True)
class Space:
    """The motion space."""

    space: str | None = from_setting("face.space", f"Motion space: {SPACE_HELP}; or auto: that of the renderer.")


@dataclass(frozen=True, kw_only=True)
class Network:
    """The renderer and its network."""

    renderer: str | None = from_setting("render.renderer", RENDERER_HELP)
    weights: str | None = from_setting("render.weights", "Registered network to use instead of the renderer's own.")
    compile: bool | None = from_setting(
        "render.compile", "Compile the network with torch.compile; useful on a GPU for long clips."
    )


@dataclass(frozen=True, kw_only=True)
class Rendering(Size, Quality, Space, Network):
    """Options of rendering and encoding."""

    codec: str | None = from_setting("output.codec", "Video codec: h264, h265 or vp9.")


@dataclass(frozen=True, kw_only=True)
class Fit:
    """The length of the result."""

    fit: str | None = from_setting(
        "output.fit", "Length of the result if sound and pictures differ: shortest, driver or pad."
    )


@dataclass(frozen=True, kw_only=True)
class Face:
    """Options of face detection."""

    face: str | None = from_setting(
        "face.face",
        "Face to use: largest, left, right, N for the N-th from the left, or a picture of the person (PATH.jpg).",
        reads_if=is_reference,
    )
    landmarker: str | None = from_setting(
        "face.landmarker", "Landmark detector: embedded, or face-alignment (68 points)."
    )


@dataclass(frozen=True, kw_only=True)
class DriverFace:
    """The face of the driver."""

    driver_face: str | None = from_setting(
        "face.driver_face",
        "Face of the driver to use: largest, left, right, N for the N-th from the left, or a picture of the person.",
        reads_if=is_reference,
    )


@dataclass(frozen=True, kw_only=True)
class NoFace:
    """The policy for frames without a face."""

    no_face: str | None = from_setting("face.no_face", "Policy for frames without a face: fail, hold, source or cut.")


@dataclass(frozen=True, kw_only=True)
class Smoothing:
    """Smoothing of the driver's motion."""

    smoothing: str | None = from_setting(
        "motion.smoothing",
        "Smoothing of the driver's motion: none, one-euro, or savitzky-golay, which delays the lips least (default: "
        "from the settings; none in the motion space bfm).",
    )


@dataclass(frozen=True, kw_only=True)
class Amount:
    """Strength and part of the driver's motion."""

    strength: float | None = from_setting("motion.strength", "Scale factor of the motion.")
    only: str | None = from_setting("motion.only", "Use only this part of the motion: expression or pose (or all).")


@dataclass(frozen=True, kw_only=True)
class Retargeting(Amount):
    """Options of retargeting."""

    motion: str | None = from_setting(
        "motion.motion",
        "relative (to the reference frame of the driver) or absolute; a driving picture is always absolute.",
    )
    scale: str | None = from_setting("motion.scale", "Size and position of the head: source, adapt or driver.")
    reference: str | None = from_setting(
        "motion.reference",
        "Reference frame of relative motion: best (most similar to the source), first, or a frame number from 0.",
    )


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of inputs, and the work folder."""

    max_pixels: int | None = from_setting("media.max_pixels", "Largest accepted picture or frame, in pixels.")
    max_duration: float | None = from_setting("media.max_duration_seconds", "Longest accepted video, in seconds.")
    work: Path | None = from_setting("work.folder", "Folder for work files (default: .facepipe).", in_rows=False)


@dataclass(frozen=True, kw_only=True)
class Consent:
    """The consent of the depicted person."""

    consent: Path | None = from_setting(
        "provenance.consent", "File with the consent of the depicted person; its digest is recorded.", reads=True
    )
    require_consent: bool | None = from_setting("provenance.require_consent", "Fail if no --consent is given.")


@dataclass(frozen=True, kw_only=True)
class Provenance(Consent):
    """Consent and signature."""

    certificate: Path | None = from_setting(
        "provenance.certificate", "Certificate chain (PEM) for signing the result (C2PA)."
    )
    key: Path | None = from_setting("provenance.key", "Private key (PEM) of the certificate.")


@dataclass(frozen=True, kw_only=True)
class SpeechOptions:
    """Options of motion generated from sound: of `audio`, and of `motion` for sound files."""

    seed: int = option("Seed of the generated motion. The same seed gives the same bytes.", default=0)
    temperature: float = option(
        "Variation of takes; 0 gives the most likely motion.", default=1.0, minimum=0, maximum=3
    )
    fps: str = option("Frames per second, for example 25 or 30000/1001.", default="25")
    expression_strength: float = option("Scale factor of the expression.", default=1.0, minimum=0, maximum=3)
    pose_strength: float = option("Scale factor of the head motion.", default=1.0, minimum=0, maximum=3)
    still: bool = option("Keep the head still.", default=False)
    lookahead: int | None = option(
        "Limit of future sound that the motion may depend on, in frames at 25 per second (default: no limit).",
        default=None,
        minimum=0,
    )
    blinks: bool = option("Add blinks at a natural rate.", default=True)
    breath: bool = option("Add breathing motion.", default=True)
    smooth_head: bool = option("Smooth the head motion.", default=True)
    resting_lips: bool = option("Keep the lips at rest in silence, and prevent them from crossing.", default=True)
    steady_lips: bool = option(
        "Emphasise the lip motion that the sound determines over random variation.", default=True
    )
