"""Options shared by several requests, as base classes of the requests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from facepipe.face.rule import is_reference
from facepipe.renderers import RENDERERS
from facepipe.requests.backgrounds import Background
from facepipe.requests.declaration import from_setting, option
from facepipe.spaces import SPACES

SPACE_HELP = "; ".join(f"{space.name} ({space.about})" for space in SPACES.values())

RESULT, FACES, MOTION, SPEECH, RENDERING = "Result", "Faces", "Motion", "Motion from sound", "Rendering"
PROVENANCE, RUN = "Consent and signature", "Run"
"""Headings of the help."""

RENDERER_HELP = "Renderer: " + "; ".join(f"{spec.name} ({spec.about})" for spec in RENDERERS.values()) + "."


@dataclass(frozen=True, kw_only=True)
class Size:
    """The size of the rendered face."""

    panel: ClassVar[str] = RESULT
    size: int | None = from_setting("output.size_pixels", "Width and height of the rendered face in pixels.")


@dataclass(frozen=True, kw_only=True)
class Quality:
    """The quality of the result."""

    panel: ClassVar[str] = RESULT
    quality: int | None = from_setting("output.quality", "Quality from 0 (smallest file) to 100 (best picture).")


@dataclass(frozen=True, kw_only=True)
class Space:
    """The motion space."""

    panel: ClassVar[str] = MOTION
    space: str | None = from_setting("face.space", f"Motion space: {SPACE_HELP}; or auto: that of the renderer.")


@dataclass(frozen=True, kw_only=True)
class Network:
    """The renderer and its network."""

    panel: ClassVar[str] = RENDERING
    renderer: str | None = from_setting("render.renderer", RENDERER_HELP)
    weights: str | None = from_setting("render.weights", "Registered network to use instead of the renderer's own.")
    compile: bool | None = from_setting(
        "render.compile", "Compile the network with torch.compile; useful on a GPU for long clips."
    )


@dataclass(frozen=True, kw_only=True)
class Rendering(Size, Quality, Background, Space, Network):
    """Options of rendering and encoding."""

    panel: ClassVar[str] = RESULT
    codec: str | None = from_setting("output.codec", "Video codec: h264, h265 or vp9.")


@dataclass(frozen=True, kw_only=True)
class Length:
    """The length of the result."""

    panel: ClassVar[str] = RESULT
    fit: str | None = from_setting(
        "output.fit", "Length of the result if sound and pictures differ: shortest, driver or pad."
    )


@dataclass(frozen=True, kw_only=True)
class SoundTrack:
    """The sound of files with several sound tracks."""

    panel: ClassVar[str] = RESULT
    track: int | None = option(
        "Sound track to use, from 1 (default: the one that players choose).", default=None, minimum=1
    )


@dataclass(frozen=True, kw_only=True)
class Face:
    """Options of face detection."""

    panel: ClassVar[str] = FACES
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

    panel: ClassVar[str] = FACES
    driver_face: str | None = from_setting(
        "face.driver_face",
        "Face of the driver to use: largest, left, right, N for the N-th from the left, or a picture of the person.",
        reads_if=is_reference,
    )


@dataclass(frozen=True, kw_only=True)
class PoseFace:
    """The face of the video that gives the head motion."""

    panel: ClassVar[str] = FACES
    driver_face: str | None = from_setting(
        "face.driver_face",
        "Face to use in the --pose-from video: largest, left, right, or N for the N-th from the left.",
    )


@dataclass(frozen=True, kw_only=True)
class FromImage:
    """The picture whose face an edit takes over."""

    panel: ClassVar[str] = "Face of another picture"
    from_image: Path | None = option(
        "Use expression and pose of the face in this picture, or one of them with --only.",
        default=None,
        metavar="FACE",
        reads=True,
        accepts=("image",),
    )
    only: str | None = from_setting("motion.only", "With --from-image: use only the expression or the pose.")
    strength: float | None = from_setting("motion.strength", "With --from-image: scale factor of the difference.")
    driver_face: str | None = from_setting(
        "face.driver_face",
        "With --from-image: face to use, largest, left, right, or N for the N-th from the left.",
    )


@dataclass(frozen=True, kw_only=True)
class NoFace:
    """The policy for frames without a face."""

    panel: ClassVar[str] = FACES
    no_face: str | None = from_setting("face.no_face", "Policy for frames without a face: fail, hold, source or cut.")


@dataclass(frozen=True, kw_only=True)
class Smoothing:
    """Smoothing of the driver's motion."""

    panel: ClassVar[str] = MOTION
    smoothing: str | None = from_setting(
        "motion.smoothing",
        "Smoothing of the driver's motion: none, one-euro, or savitzky-golay, which delays the lips least (default: "
        "from the settings; none in the motion space bfm).",
    )


@dataclass(frozen=True, kw_only=True)
class Amount:
    """Strength and part of the driver's motion."""

    panel: ClassVar[str] = MOTION
    strength: float | None = from_setting("motion.strength", "Scale factor of the motion.")
    only: str | None = from_setting("motion.only", "Use only this part of the motion: expression or pose (or all).")


@dataclass(frozen=True, kw_only=True)
class Transfer(Amount):
    """Options of retargeting."""

    panel: ClassVar[str] = MOTION
    motion: str | None = from_setting(
        "motion.motion",
        "relative (to the reference frame of the driver) or absolute; a driving picture is always absolute.",
    )
    scale: str | None = from_setting("motion.scale", "Size and position of the head: source, adapt or driver.")
    keypoints: str | None = from_setting(
        "motion.keypoints",
        "Landmarks of the motion space keypoints68: source (the source's face, moved as the driver) or driver (the "
        "driver's own; needs --motion absolute and the published network, --weights bilayer-official).",
    )
    reference: str | None = from_setting(
        "motion.reference",
        "Reference frame of relative motion in each shot: best (most similar to the source), first, or a frame number "
        "from 0 for the shot that it is in, with best for the others.",
    )


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Sliders from a file."""

    panel: ClassVar[str] = MOTION
    preset: Path | None = option(
        "Preset with sliders, written by `facepipe edit --save-preset`.", default=None, reads=True, exact=True
    )


@dataclass(frozen=True, kw_only=True)
class PasteBack:
    """The picture around the face."""

    panel: ClassVar[str] = RESULT
    paste_back: bool = option("Paste the rendered face back into the whole source picture.", default=False)


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The inputs beside the result."""

    panel: ClassVar[str] = RESULT
    grid: bool = option("Show source | driver | result side by side.", default=False)


@dataclass(frozen=True, kw_only=True)
class SourceGrid:
    """The source beside the result, where no driver has pictures."""

    panel: ClassVar[str] = RESULT
    grid: bool = option("Show source | result side by side.", default=False)


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """The contact sheet."""

    panel: ClassVar[str] = RESULT
    sheet: Path | None = option("Also write a contact sheet of the result (PNG).", default=None)


@dataclass(frozen=True, kw_only=True)
class Overwrite:
    """Replacement of existing files."""

    panel: ClassVar[str] = RUN
    overwrite: bool = option("Replace existing files, even if facepipe did not write them.", default=False)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of inputs, and the work folder."""

    panel: ClassVar[str] = RUN
    max_pixels: int | None = from_setting("media.max_pixels", "Largest accepted picture or frame, in pixels.")
    max_duration: float | None = from_setting("media.max_duration_seconds", "Longest accepted video, in seconds.")
    work: Path | None = from_setting("work.folder", "Folder for work files (default: .facepipe).", in_rows=False)


@dataclass(frozen=True, kw_only=True)
class Consent:
    """The consent of the depicted person."""

    panel: ClassVar[str] = PROVENANCE
    consent: Path | None = from_setting(
        "provenance.consent", "File with the consent of the depicted person; its digest is recorded.", reads=True
    )
    require_consent: bool | None = from_setting("provenance.require_consent", "Fail if no --consent is given.")


@dataclass(frozen=True, kw_only=True)
class Signing(Consent):
    """Consent and signature."""

    panel: ClassVar[str] = PROVENANCE
    certificate: Path | None = from_setting(
        "provenance.certificate", "Certificate chain (PEM) for signing the result (C2PA)."
    )
    key: Path | None = from_setting("provenance.key", "Private key (PEM) of the certificate.")
