"""Types of the keyword options of the functions, for type checkers. A test compares them with the requests."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, TypedDict

from numpy.typing import NDArray

from facepipe.engine.events import Event

File = str | os.PathLike[str]
Source = File | NDArray[Any]
"""A path, or an array (H, W, 3) of uint8, RGB."""
Text = str | int
"""A keyword such as "largest", or a number."""
Rate = str | float | Fraction
"""Frames per second: 25, 29.97, "30000/1001"."""
Progress = Callable[[Event], None]
"""A function that is called with each `facepipe.engine.events.Event` of a job. An exception in it stops the job."""


class _Size(TypedDict, total=False):
    size: int | None


class _Quality(TypedDict, total=False):
    quality: int | None


class _Space(TypedDict, total=False):
    space: str | None


class _Background(TypedDict, total=False):
    background: str | os.PathLike[str] | None


class _Rendering(_Size, _Quality, _Background, _Space, total=False):
    codec: str | None
    renderer: str | None
    weights: str | None
    compile: bool | None


class _Fit(TypedDict, total=False):
    fit: str | None


class _SoundTrack(TypedDict, total=False):
    track: int | None


class _Face(TypedDict, total=False):
    face: Text | os.PathLike[str] | None
    landmarker: str | None


class _DriverFace(TypedDict, total=False):
    driver_face: Text | os.PathLike[str] | None


class _NoFace(TypedDict, total=False):
    no_face: str | None


class _Smoothing(TypedDict, total=False):
    smoothing: str | None


class _Amount(TypedDict, total=False):
    strength: float | None
    only: str | None


class _Retargeting(_Amount, total=False):
    motion: str | None
    scale: str | None
    keypoints: str | None
    reference: Text | None


class _Limits(TypedDict, total=False):
    max_pixels: int | None
    max_duration: float | None
    work: File | None


class _Provenance(TypedDict, total=False):
    consent: File | None
    require_consent: bool | None
    certificate: File | None
    key: File | None


class _Speech(TypedDict, total=False):
    seed: int
    temperature: float
    fps: Rate
    expression_strength: float
    pose_strength: float
    still: bool
    lookahead: int | None
    blinks: bool
    breath: bool
    smooth_head: bool
    resting_lips: bool
    steady_lips: bool


class _Shown(TypedDict, total=False):
    paste_back: bool
    source_frame: Text
    source_frames: int
    source_picture: Source | Sequence[Source]


class _Result(TypedDict, total=False):
    overwrite: bool


class _Sheet(TypedDict, total=False):
    sheet: File | None


class _Preset(TypedDict, total=False):
    preset: File | None


class _Grid(TypedDict, total=False):
    grid: bool


class ReenactOptions(
    _Rendering,
    _Fit,
    _SoundTrack,
    _Face,
    _DriverFace,
    _NoFace,
    _Smoothing,
    _Retargeting,
    _Limits,
    _Provenance,
    _Shown,
    _Result,
    _Sheet,
    _Preset,
    _Grid,
    total=False,
):
    """Options of `reenact`."""


class FramesOptions(
    _Size,
    _Background,
    _Space,
    _Face,
    _DriverFace,
    _NoFace,
    _Smoothing,
    _Retargeting,
    _Limits,
    _Shown,
    _Preset,
    _Grid,
    total=False,
):
    """Options of `frames`: those of `reenact`, except those about the result file."""

    renderer: str | None
    weights: str | None
    compile: bool | None
    consent: File | None
    require_consent: bool | None


class AudioOptions(
    _Rendering,
    _Fit,
    _SoundTrack,
    _Face,
    _DriverFace,
    _Limits,
    _Provenance,
    _Speech,
    _Shown,
    _Result,
    _Sheet,
    total=False,
):
    """Options of `audio`."""

    samples: int
    pose_from: File | None
    report: File | None


class EditOptions(
    _Rendering, _Face, _DriverFace, _Amount, _Limits, _Provenance, _Shown, _Result, _Sheet, _Preset, _Grid, total=False
):
    """Options of `edit`, with all sliders."""

    sweep: str | Sequence[str]
    frames: int | None
    fps: Rate | None
    save_preset: File | None
    from_image: File | None
    random: int | None
    seed: int | None
    yaw: float | None
    pitch: float | None
    roll: float | None
    move_x: float | None
    move_y: float | None
    zoom: float | None
    jaw_open: float | None
    mouth_open: float | None
    jaw_left: float | None
    jaw_forward: float | None
    smile: float | None
    frown: float | None
    pucker: float | None
    stretch: float | None
    mouth_left: float | None
    upper_lip_raise: float | None
    lower_lip_drop: float | None
    lip_press: float | None
    smile_left: float | None
    smile_right: float | None
    nose_wrinkle: float | None
    cheek_raise: float | None
    brow_raise: float | None
    brow_raise_left: float | None
    brow_raise_right: float | None
    brow_raise_inner: float | None
    brow_frown: float | None
    blink_left: float | None
    blink_right: float | None
    squint: float | None
    gaze_left: float | None
    gaze_up: float | None


class CropOptions(_Size, _Quality, _Face, _NoFace, _Limits, _Result, total=False):
    """Options of `crop`."""


class MatteOptions(_Size, _Quality, _Face, _NoFace, _Limits, _Result, total=False):
    """Options of `matte`."""

    alpha: bool
    crop: bool


class BlendshapesOptions(_SoundTrack, _Face, _NoFace, _Smoothing, _Speech, _Limits, _Result, total=False):
    """Options of `blendshapes`."""


class CoefficientsOptions(_Face, _NoFace, _Smoothing, _Space, _Limits, _Result, total=False):
    """Options of `coefficients`."""


class CreateOptions(_Size, _Face, _Limits, _Result, total=False):
    """Options of `avatar_create`."""

    source_frame: Text
    stylized: File | None
    wplus: File | None


class EncodeOptions(_SoundTrack, _Limits, _Result, total=False):
    """Options of `encode`."""

    bitrate: float
    size: int | None
    tokens: str
    key_seconds: float
    no_sound: bool
    sound_bitrate: float
    copy_sound: bool
    open_loop: bool
    face: Text | None
    no_face: str | None


class DecodeOptions(_Quality, _Limits, _Result, total=False):
    """Options of `decode`."""

    codec: str | None
    lost: str
    from_second: float
    seconds: float | None
