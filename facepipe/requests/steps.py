"""The requests of single stages on many files: crop, matte, coefficients, blendshapes, features, motion and render."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from facepipe.requests.declaration import HEARD, SEEN, argument, from_setting, option
from facepipe.requests.groups import (
    RESULT,
    DriverFace,
    Face,
    Limits,
    NoFace,
    Overwrite,
    PasteBack,
    Preset,
    Quality,
    Rendering,
    Signing,
    Smoothing,
    SoundTrack,
    SourceGrid,
    Space,
    Transfer,
)
from facepipe.requests.items import Work, prepared
from facepipe.requests.pictures import SourcePictures
from facepipe.requests.request import PORTRAIT, Prepared, Request
from facepipe.requests.resolution import fps_of, options_for, sampling_of
from facepipe.requests.rules import check_unused
from facepipe.requests.speech import SpeechOptions
from facepipe.spaces import arkit52

if TYPE_CHECKING:
    from facepipe.settings import Settings

PLACE = "Result file; or a folder, in which results have the names of the inputs."


@dataclass(frozen=True, kw_only=True)
class CropRequest(Request, Quality, Face, NoFace, Limits, Overwrite):
    """Detect and track a face; write the crop (.mp4 or .png) and its track (.track.npz)."""

    command: ClassVar[str] = "crop"
    panel: ClassVar[str] = RESULT

    inputs: tuple[Path, ...] = argument("Pictures and videos, or folders of them.", metavar="INPUT", accepts=SEEN)
    out: Path = option(PLACE, short="-o", in_rows=False)
    size: int | None = from_setting("output.size_pixels", "Width and height of the crop in pixels.")

    def prepare(self, settings: Settings) -> Prepared:
        """Apply the settings and check everything that needs no file."""
        from facepipe.pipeline.dependencies import of_crop
        from facepipe.pipeline.items import is_medium

        options = options_for(self, settings)
        work = Work(self.command, self.inputs, self.out, is_medium, "pictures or videos", encodes=True)
        return prepared(work, options, of_crop(options))


@dataclass(frozen=True, kw_only=True)
class MatteRequest(Request, Quality, Face, NoFace, Limits, Overwrite):
    """Compute the mattes of people, with hair and shoulders: white is person (.mp4 or .png)."""

    command: ClassVar[str] = "matte"
    panel: ClassVar[str] = RESULT

    inputs: tuple[Path, ...] = argument("Pictures and videos, or folders of them.", metavar="INPUT", accepts=SEEN)
    out: Path = option(PLACE, short="-o", in_rows=False)
    alpha: bool = option(
        "Write the pictures with the matte as their alpha channel (.webm or .png), instead of the matte.", default=False
    )
    crop: bool = option("Use the crop around the face, as `facepipe crop` cuts it, not whole frames.", default=False)
    size: int | None = from_setting("output.size_pixels", "With --crop: width and height of the crop in pixels.")

    def prepare(self, settings: Settings) -> Prepared:
        """Apply the settings and check everything that needs no file."""
        from facepipe.pipeline.dependencies import of_matte
        from facepipe.pipeline.items import is_medium

        if not self.crop:
            whole = "the matte is that of whole frames; add --crop for that of a face's surroundings, or leave it out"
            check_unused(self, ("size", "face", "landmarker", "no_face"), whole)
        if not self.alpha:
            check_unused(self, ("quality",), "mattes have one quality; add --alpha, or leave it out")
        options = options_for(self, settings)
        kinds = "pictures or videos"
        work = Work(self.command, self.inputs, self.out, is_medium, kinds, encodes=True, sees=self.crop)
        return prepared(work, options, of_matte(options, cropped=self.crop), alpha=self.alpha, cropped=self.crop)


@dataclass(frozen=True, kw_only=True)
class CoefficientsRequest(Request, Face, NoFace, Smoothing, Space, Limits, Overwrite):
    """Fit the face model; write coefficients (.npz), which can drive `reenact`. Existing track files are used."""

    command: ClassVar[str] = "coefficients"
    panel: ClassVar[str] = RESULT

    inputs: tuple[Path, ...] = argument(
        "Track files (.track.npz), pictures, videos, or folders of them.", metavar="INPUT", accepts=(*SEEN, "track")
    )
    out: Path = option(PLACE, short="-o", in_rows=False)

    def prepare(self, settings: Settings) -> Prepared:
        """Apply the settings and check everything that needs no file."""
        from facepipe.pipeline.dependencies import of_coefficients
        from facepipe.pipeline.items import fittable

        options = options_for(self, settings)
        wanted = fittable(options.space)
        work = Work(self.command, self.inputs, self.out, wanted, "tracks, pictures or videos")
        return prepared(work, options, of_coefficients(options))


@dataclass(frozen=True, kw_only=True)
class BlendshapesRequest(Request, SoundTrack, Face, NoFace, Smoothing, SpeechOptions, Limits, Overwrite):
    """Fit ARKit's 52 face units; write a take (.csv) as Live Link Face does, or a motion file (.npz)."""

    command: ClassVar[str] = "blendshapes"
    panel: ClassVar[str] = RESULT

    drivers: tuple[Path, ...] = argument(
        "Videos, pictures, tracks, sound, motion files (.npz), takes (.csv), or folders of them.",
        metavar="DRIVER",
        accepts=(*SEEN, *HEARD, "motion", "track"),
    )
    out: Path = option(
        "Result file, .csv or .npz; or a folder, in which results are NAME.csv.",
        short="-o",
        in_rows=False,
    )

    def prepare(self, settings: Settings) -> Prepared:
        """Apply the settings and check everything that needs no file."""
        from dataclasses import replace

        from facepipe.pipeline.audio import TakeOptions
        from facepipe.pipeline.dependencies import of_blendshapes
        from facepipe.pipeline.items import is_motion, is_sound, is_take, is_track_or_medium, may_be_sound

        options = replace(options_for(self, settings), space=arkit52.SPACE.name)

        def wanted(path: Path) -> bool:
            return is_motion(path) or is_take(path) or is_track_or_medium(path) or is_sound(path)

        audio = TakeOptions(sampling_of(self), fps=fps_of(self.fps))
        kinds = "media, tracks, sound, motion files or takes"
        work = Work(self.command, self.drivers, self.out, wanted, kinds)
        speaks = any(map(may_be_sound, self.drivers))
        return prepared(work, options, of_blendshapes(options, speaks=speaks), audio)


@dataclass(frozen=True, kw_only=True)
class FeaturesRequest(Request, SoundTrack, Limits, Overwrite):
    """Compute features of sound (.npz), one column per video frame: log-mel, energy, voicing, MFCC."""

    command: ClassVar[str] = "features"
    panel: ClassVar[str] = RESULT

    sounds: tuple[Path, ...] = argument("Sound files, videos with sound, or folders.", metavar="SOUND", accepts=HEARD)
    out: Path = option(PLACE, short="-o", in_rows=False)
    fps: str = option("Frames per second, for example 25 or 30000/1001.", default="25")
    mfcc: bool = option("Also write MFCC.", default=False)

    def prepare(self, settings: Settings) -> Prepared:
        """Apply the settings and check everything that needs no file."""
        from facepipe.pipeline.dependencies import of_features
        from facepipe.pipeline.items import is_sound_or_video
        from facepipe.stages import features

        options = options_for(self, settings)
        params = features.Params(fps=str(fps_of(self.fps)), mfcc=self.mfcc, track=self.track)
        work = Work(self.command, self.sounds, self.out, is_sound_or_video, "sound or videos", sees=False)
        return prepared(work, options, of_features(), params=params)


@dataclass(frozen=True, kw_only=True)
class MotionRequest(
    Request,
    SoundTrack,
    Face,
    DriverFace,
    NoFace,
    Transfer,
    Smoothing,
    Preset,
    Space,
    SpeechOptions,
    Limits,
    Overwrite,
):
    """Retarget the motion of drivers to SOURCE; write coefficients (.npz) for `render`. Sound drives as in `audio`."""

    command: ClassVar[str] = "motion"
    panel: ClassVar[str] = RESULT

    source: Path = argument(
        "The face to animate: coefficients (.npz), picture or video.", accepts=(*SEEN, "motion", "track")
    )
    drivers: tuple[Path, ...] = argument(
        "Motion files (.npz), takes (.csv), tracks, sound, pictures, videos, or folders.",
        metavar="DRIVER",
        accepts=(*SEEN, *HEARD, "motion", "track"),
    )
    out: Path = option(PLACE, short="-o", in_rows=False)

    def prepare(self, settings: Settings) -> Prepared:
        """Apply the settings and check everything that needs no file but the preset."""
        from facepipe.motion.presets import load_preset
        from facepipe.motion.sliders import Edit
        from facepipe.pipeline.audio import TakeOptions
        from facepipe.pipeline.dependencies import of_motion
        from facepipe.pipeline.items import fittable, is_motion, is_sound, is_take, may_be_sound

        options = options_for(self, settings, edit=load_preset(self.preset) if self.preset else Edit())
        fits = fittable(options.space)

        def wanted(path: Path) -> bool:
            return is_motion(path) or is_take(path) or fits(path) or is_sound(path)

        moves, speaks = not all(map(is_sound, self.drivers)), any(map(may_be_sound, self.drivers))
        audio = TakeOptions(sampling_of(self), fps=fps_of(self.fps))
        work = Work(self.command, self.drivers, self.out, wanted, "motion files, tracks, sound or media", self.source)
        return prepared(work, options, of_motion(options, moves=moves, speaks=speaks), audio)


@dataclass(frozen=True, kw_only=True)
class RenderRequest(Request, Rendering, SourceGrid, PasteBack, Face, SourcePictures, Signing, Limits, Overwrite):
    """Render SOURCE with the poses and expressions of motion files, unchanged; `motion` retargets motion to SOURCE."""

    command: ClassVar[str] = "render"
    panel: ClassVar[str] = RESULT

    source: Path = argument(PORTRAIT, accepts=SEEN)
    motions: tuple[Path, ...] = argument(
        "Motion files (.npz), or folders of them.", metavar="MOTION", accepts=("motion",)
    )
    out: Path = option(PLACE, short="-o", in_rows=False)

    def prepare(self, settings: Settings) -> Prepared:
        """Apply the settings and check everything that needs no file."""
        from facepipe.pipeline.dependencies import of_render
        from facepipe.pipeline.items import is_motion

        options = options_for(self, settings)
        work = Work(self.command, self.motions, self.out, is_motion, "motion files (.npz)", self.source, encodes=True)
        return prepared(work, options, of_render(options))
