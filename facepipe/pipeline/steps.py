"""Single stages on items. They use the same store as whole jobs, so a second run does nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from facepipe.engine import Artefact, Job, Output, Pending
from facepipe.errors import InputError, UsageError
from facepipe.face.track import load_track
from facepipe.media.files import kind_of
from facepipe.media.probe import probe_video
from facepipe.media.sound import probe_sound
from facepipe.motion.features import frames_of
from facepipe.motion.synthesis import SamplingOptions
from facepipe.pipeline.arrays import described_input
from facepipe.pipeline.audio import TakeOptions, compute_features, generate_motion, speech_weights
from facepipe.pipeline.backdrop import described_backdrop
from facepipe.pipeline.delivery import (
    check_apart,
    check_destination,
    deliver,
    described,
    sidecar_of,
)
from facepipe.pipeline.items import TAKE_SUFFIX, TRACK, Item, is_take, may_be_sound
from facepipe.pipeline.options import Options
from facepipe.pipeline.perception import (
    Fitted,
    Made,
    Weights,
    compute_matte,
    described_references,
    fit_track,
    motion_weights,
    read_take,
    track_clip,
)
from facepipe.pipeline.precheck import Medium, all_of, find_weights, inspect, inspect_motion
from facepipe.pipeline.provenance import signed
from facepipe.pipeline.rendering import Scene, join, render_segments
from facepipe.pipeline.sources import described_pictures, fit_source, inspect_source
from facepipe.spaces import SPACES
from facepipe.stages import blendshapes, features, matte, motion, mux, speech

CODEC_NAMES = {"h264": "h264", "hevc": "h265", "vp9": "vp9"}


@dataclass
class Steps:
    """The stages as commands: one method per command that makes and delivers the results of an item."""

    job: Job
    options: Options
    weights: Weights
    source: Path | None = None
    """The portrait of `motion` and `render`."""
    audio_options: TakeOptions | None = None
    """Options of `motion` for sound files."""
    further: Mapping[str, Path] = field(default_factory=dict)
    """Further files that all items are made of, by role."""
    _fitted: dict[str, Fitted] = field(default_factory=dict)

    def crop(self, item: Item) -> list[Path]:
        """Crop the face in a clip or picture and write its track."""
        medium = inspect(item.path, self.options.limits)
        picture = "crop.png" if medium.kind == "image" else "crop.mp4"
        outs = {item.result(Path(picture).suffix): picture, item.beside(TRACK): "track.npz"}
        self._check(item, outs)
        made = track_clip(
            self.job, medium, self.options, self.weights, f"crop {item.label}", face=self.options.face, pictures=True
        )
        return self._deliver(item, outs, made, [made])

    def matte(self, item: Item, *, alpha: bool, cropped: bool) -> list[Path]:
        """Compute the matte of a clip or picture, or of the crop around its face."""
        medium = inspect(item.path, self.options.limits)
        still, kind = medium.kind == "image", "alpha" if alpha else "matte"
        name = f"{kind}.png" if still else "alpha.webm" if alpha else "matte.mp4"
        outs, before = {item.result(Path(name).suffix): name}, list[Made]()
        self._check(item, outs)
        media: Output | Pending | Path = item.path
        if cropped:
            label, face = f"crop {item.label}", self.options.face
            before = [track_clip(self.job, medium, self.options, self.weights, label, face=face, pictures=True)]
            media = before[0].output("crop.png" if still else "crop.mp4")
        params = matte.Params(alpha, self.options.quality if alpha and not still else matte.MATTE_QUALITY)
        label = f"matte {item.label}"
        made = compute_matte(self.job, media, params, self.weights, label, frames=medium.frames)
        return self._deliver(item, outs, made, [*before, made])

    def coefficients(self, item: Item) -> list[Path]:
        """Estimate coefficients from a track, or from the face in a clip or picture."""
        outs = {item.result(".npz"): "coefficients.npz"}
        self._check(item, outs)
        fitted = self._fit(item.path, item.label, self.options.face)
        return self._deliver(item, outs, fitted.coefficients, [fitted.crop, fitted.coefficients])

    def blendshapes(self, item: Item) -> list[Path]:
        """Write the motion of a medium, track, motion file, take or sound as weights of face units."""
        suffix = item.out.suffix.lower() if item.out else TAKE_SUFFIX
        if suffix not in (TAKE_SUFFIX, ".npz"):
            raise UsageError(f"-o is {item.out}; use a name ending in .csv or .npz, or a folder")
        outs = {item.result(suffix): f"blendshapes{suffix}"}
        self._check(item, outs)
        if may_be_sound(item.path) and kind_of(item.path) == "sound":
            moving, before = self._spoken(item, None, None)
            found: Output | Pending | Path = moving.output("motion.npz")
            before = [*before, moving]
        else:
            found, before = self._coefficients_of(item.path, item.label, self.options.face)
        needed = motion_weights(self.options.space, self.weights)
        label = f"blendshapes {item.label}"
        made = self.job.run(blendshapes.STAGE, {"motion": found}, blendshapes.Params(), weights=needed, label=label)
        return self._deliver(item, outs, made, [*before, made])

    def features(self, item: Item, params: features.Params) -> list[Path]:
        """Compute the features of the sound in a sound file or video, one column per video frame."""
        sound = probe_sound(item.path, self.options.limits, track=self.options.track)
        outs = {item.result(".npz"): "features.npz"}
        self._check(item, outs)
        frames = frames_of(sound.seconds, Fraction(params.fps))
        made = self.job.run(features.STAGE, {"sound": item.path}, params, label=f"features {item.label}", frames=frames)
        return self._deliver(item, outs, made, [made])

    def motion(self, item: Item) -> list[Path]:
        """Retarget the motion of a driver (motion file, track, clip or picture) to the source."""
        outs = {item.result(".npz"): "motion.npz"}
        self._check(item, outs)
        source, before = self._coefficients_of(self._portrait(), "source", self.options.face)
        if kind_of(item.path) == "sound":
            return self._motion_from_sound(item, outs, source, before)
        driving, own = self._coefficients_of(item.path, item.label, self.options.driver_face)
        params = motion.Params(
            retargeting=self.options.retargeting,
            no_face=self.options.no_face if self.options.no_face in ("source", "cut") else "hold",  # type: ignore[arg-type]
            edit=self.options.edit,
        )
        needed = motion_weights(self.options.space, self.weights)
        inputs = {"source": source, "driving": driving}
        made = self.job.run(motion.STAGE, inputs, params, weights=needed, label=f"motion {item.label}")
        return self._deliver(item, outs, made, [*before, *own, made])

    def _motion_from_sound(
        self, item: Item, outs: Mapping[Path, str], source: Output | Pending | Path, before: list[Made]
    ) -> list[Path]:
        """Generate motion for the source from a sound file."""
        made, own = self._spoken(item, self._portrait(), source)
        return self._deliver(item, outs, made, [*before, *own, made])

    def _spoken(
        self, item: Item, portrait: Path | None, source: Output | Pending | Path | None
    ) -> tuple[Made, list[Made]]:
        """Return motion generated from a sound file, and the results made for it."""
        sound, audio_options = (
            probe_sound(item.path, self.options.limits, track=self.options.track),
            self.audio_options or TakeOptions(SamplingOptions()),
        )
        sound_features = compute_features(self.job, sound, self.options.track)
        weights = {**self.weights, **find_weights("audio")}
        needed = speech_weights(self.options.space, weights)
        made = generate_motion(self.job, (portrait, sound), audio_options, sound_features, source, needed)
        return made, [sound_features]

    def render(self, item: Item) -> list[Path]:
        """Render the source with the poses and expressions of a motion file, unchanged."""
        medium = inspect_motion(item.path, self.options.space)
        name = f"result.{self.options.container}"
        outs = {item.result(f".{self.options.container}"): name}
        self._check(item, outs)
        portrait = inspect_source(self._portrait(), self.options)
        if "source" not in self._fitted:
            self._fitted["source"] = fit_source(self.job, portrait, self.options, self.weights)
        fitted = self._fitted["source"]
        scene = Scene(portrait, fitted, medium, None, self.options, self.weights)
        # Without a driver the stage returns its source; here that is the motion of the file.
        segments = render_segments(self.job, scene, {"source": item.path}, motion.Params(), medium.frames)
        made = join(self.job, scene, segments)
        given = {"source": portrait.path, "motion": item.path}
        return self._deliver_signed(item, outs, made, [*fitted.made, *segments, made], given)

    def mux(self, segments: list[Path], sound: Path | None, out: Path) -> list[Path]:
        """Join videos of the same size, frame rate and codec without re-encoding them, and add sound."""
        codec, muted = _common_codec(segments, self.options)
        outs, item = {out: f"result.{self.options.container}"}, Item(segments[0], out.with_suffix(""), out)
        if self.options.container == "webm" and codec != "vp9":
            raise UsageError(
                f"-o is {out}, but the segments are {codec}, and a .webm holds vp9; use a name ending in .mp4"
            )
        self.options.provenance.check()
        check_apart(outs, [*segments, *([sound] if sound else [])])
        self._check(item, outs)
        inputs: dict[str, Any] = {"segments": segments, **({"sound": sound} if sound else {})}
        params = mux.Params(
            fit=self.options.fit,
            quality=self.options.quality,
            codec=codec,
            container=self.options.container,
            mute_segments=muted,
            track=self.options.track,
        )
        if sound and self.options.track:
            probe_sound(sound, self.options.limits, track=self.options.track)
        made = self.job.run(mux.STAGE, inputs, params, label="mux")
        given = {f"segment_{number}": path for number, path in enumerate(segments, start=1)}
        return self._deliver_signed(item, outs, made, [made], {**given, **({"sound": sound} if sound else {})})

    def _portrait(self) -> Path:
        assert self.source is not None
        return self.source

    def _coefficients_of(self, path: Path, label: str, face: str) -> tuple[Output | Pending | Path, list[Made]]:
        """Return the coefficients in a motion file, or estimated from a medium, and the results made for them."""
        if is_take(path):
            medium = inspect_motion(path, self.options.space, as_driver=label != "source")
            read = read_take(self.job, path, f"take {label}", frames=medium.frames)
            return read.output("coefficients.npz"), [read]
        if path.suffix == ".npz" and not path.name.endswith(TRACK):
            as_driver = label != "source" and self.options.retargeting.keypoints == "source"
            inspect_motion(path, self.options.space, as_driver=as_driver)
            return path, []
        if label not in self._fitted:
            self._fitted[label] = self._fit(path, label, face)
        fitted = self._fitted[label]
        return fitted.coefficients.output("coefficients.npz"), [fitted.crop, fitted.coefficients]

    def _fit(self, path: Path, label: str, face: str) -> Fitted:
        if path.name.endswith(TRACK):
            if "media" in SPACES[self.options.space].estimation().inputs:
                raise UsageError(
                    f"{path} is a track, which has no pixels, but motion in the space {self.options.space} is "
                    "estimated from pixels; give the picture or video itself"
                )
            frames = len(load_track(path).track.valid)
            return fit_track(self.job, path, path, self.options, self.weights, f"fit {label}", frames=frames)
        medium: Medium = inspect(path, self.options.limits)
        tracked = track_clip(self.job, medium, self.options, self.weights, f"crop {label}", face=face)
        return fit_track(self.job, tracked, path, self.options, self.weights, f"fit {label}", frames=medium.frames)

    def _check(self, item: Item, outs: Mapping[Path, str]) -> None:
        named = [*([self.source] if self.source else []), *self.further.values(), *self.options.named_files()]
        check_apart(outs, [item.path, *named])
        sidecar, digests = sidecar_of(next(iter(outs))), self.job.workspace.digests
        overwrite = self.options.overwrite
        checks = [partial(check_destination, out, digests, overwrite=overwrite, described_by=sidecar) for out in outs]
        if item.out:  # The user named this file, so a fault is one of the command, not of one of many items.
            all_of(checks)
            return
        for check in checks:
            check()

    def _deliver_signed(
        self, item: Item, outs: Mapping[Path, str], made: Made, stages: list[Made], given: Mapping[str, Path]
    ) -> list[Path]:
        """Deliver a result that depicts a person, signed if the job has credentials."""
        final = signed(self.job, made, self.options.provenance, given, f"sign {item.label}")
        if final is not made:
            outs = dict.fromkeys(outs, "signed.mp4")
        return self._deliver(item, outs, final, [*stages, final])

    def _deliver(self, item: Item, outs: Mapping[Path, str], made: Made, stages: list[Made]) -> list[Path]:
        if self.job.dry_run or not isinstance(made, Artefact):
            return list(outs)
        unique = {one.folder: one for one in stages if isinstance(one, Artefact)}
        speaks = any(one.record.identity.stage == speech.STAGE.name for one in unique.values())
        spoken = self.audio_options.as_json() if self.audio_options and speaks else {}
        invocation = self.options.invocation
        about = {
            "inputs": {
                role: described_input(path, self.job.workspace)
                for role, path in {"item": item.path, "source": self.source, **self.further}.items()
                if path
            }
            | (described_references(self.options, self.job.workspace.digests) if "detector" in self.weights else {})
            | described_backdrop(self.options, self.job.workspace.digests)
            | described_pictures(self.options, self.job.workspace.digests),
            **self.options.provenance.about(self.job.workspace.digests),
            "command": invocation and invocation.of_item(item.path, item.out or next(iter(outs))),
            "options": {**self.options.as_json(), **spoken},
            "stages": [described(one) for one in unique.values()],
            "weights": {name: weight.sha256 for name, weight in self.weights.items()},
        }
        files = {out: made.output(name) for out, name in outs.items()}
        deliver(self.job, files, about, overwrite=self.options.overwrite)
        return list(outs)


def _common_codec(segments: list[Path], options: Options) -> tuple[str, bool]:
    """Return the codec of all segments, and whether any has sound. Raises InputError if segments differ."""
    if not segments:
        raise UsageError("mux needs at least one segment")
    infos = [probe_video(path, options.limits) for path in segments]
    first = infos[0]
    for path, info in zip(segments[1:], infos[1:], strict=True):
        for what in ("width", "height", "fps", "codec", "pixel_format", "has_alpha"):
            if (got := getattr(info, what)) != (wanted := getattr(first, what)):
                raise InputError(
                    f"{path}: {what.replace('_', ' ')} is {got}, but {segments[0]} has {wanted}; all segments must be "
                    "the same, so re-encode one of them"
                )
    if first.has_alpha and options.container != "webm":
        raise InputError(f"{segments[0]}: has transparency, which an mp4 would lose; use a name ending in .webm for -o")
    if first.codec not in CODEC_NAMES:
        raise InputError(
            f"{segments[0]}: the codec is {first.codec}, expected one of {', '.join(CODEC_NAMES.values())}; re-encode "
            "the segments"
        )
    return CODEC_NAMES[first.codec], any(info.has_sound for info in infos)
