"""The jobs of `encode` and `decode`: a clip as a stream of stills and tokens (.fpv), and back as a video."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from facepipe.codec import Header, Reader
from facepipe.coding.models import KINDS, TokenKind, check_available, check_header, digest_of, kind_of
from facepipe.engine import Artefact, Job, Pending
from facepipe.errors import InputError, UsageError
from facepipe.face.rule import is_reference
from facepipe.media.encode import check_codec
from facepipe.media.files import check_input
from facepipe.media.opus import check_opus
from facepipe.media.stills_codec import check_stills
from facepipe.pipeline.arrays import described_input
from facepipe.pipeline.delivery import check_apart, check_destination, deliver, described
from facepipe.pipeline.options import Options
from facepipe.pipeline.perception import Made, Weights
from facepipe.pipeline.precheck import Medium, all_of, check_work_folder, find_weights, inspect
from facepipe.stages import assemble, opus
from facepipe.stages import decode as decode_stage
from facepipe.stages import encode as encode_stage

SUFFIX = ".fpv"
# A rest of a clip that is shorter than this share of a segment belongs to the segment before it.
_SHORT_SHARE = 0.25


@dataclass(frozen=True)
class Coding:
    """Options of `encode`."""

    tokens: str = "coefficients"
    kilobits_per_second: float = 5.0
    """Of pictures, without sound."""
    key_seconds: float = 10.0
    """Longest time from key frame to key frame."""
    sound: bool = True
    sound_kilobits_per_second: float = 12.0
    copy_sound: bool = False
    corrects: bool = True
    """Whether the encoder draws its own result and corrects the tokens by what it sees there."""


@dataclass(frozen=True)
class Playing:
    """Options of `decode`."""

    lost: str = "interpolate"
    """Lost frames: interpolate, or hold."""
    from_second: float = 0.0
    seconds: float | None = None


def encode(job: Job, clip: Path, out: Path, options: Options, coding: Coding | None = None) -> Made:
    """Encode the face in a clip or picture, or find the stream in the store, and deliver it to `out` (.fpv)."""
    coding = coding or Coding()
    medium, weights = _check_encoding(job, clip, out, options, coding)
    segments = _segments(job, medium, options, coding, weights)
    inputs: dict[str, Any] = {"segments": [one.output(encode_stage.SEGMENT) for one in segments]}
    before = list(segments)
    if coding.sound and medium.has_sound:
        how = opus.Params(coding.sound_kilobits_per_second, coding.copy_sound, options.track)
        sound = job.run(opus.STAGE, {"media": clip}, how, label="sound")
        inputs["sound"] = sound.output(opus.SOUND)
        before.append(sound)
    params = assemble.Params(digest_of(KINDS[coding.tokens], weights).hex(), coding.kilobits_per_second)
    made = job.run(assemble.STAGE, inputs, params, label="assemble", frames=medium.frames)
    _deliver(job, {"clip": clip}, out, made, [*before, made], options, asdict(coding), weights)
    return made


def _check_encoding(job: Job, clip: Path, out: Path, options: Options, coding: Coding) -> tuple[Medium, Weights]:
    if out.suffix.lower() != SUFFIX:
        raise UsageError(f"-o is {out}; use a name ending in {SUFFIX}")
    if is_reference(options.face):
        raise UsageError(
            f"--face is {options.face}, a picture, but encode follows largest, left, right or a number; give one of "
            "these"
        )
    medium, weights, *_ = all_of(
        [
            lambda: inspect(clip, options.limits),
            lambda: weights_of(KINDS[coding.tokens]),
            lambda: check_work_folder(job),
            check_stills,
            *([check_opus] if coding.sound else []),
            *_destination_checks(job, out, options),
        ]
    )
    check_apart([out], [clip])
    if medium.kind != "video":
        raise InputError(f"{clip}: is a picture, and encode takes a video; give a clip")
    return medium, weights


def weights_of(kind: TokenKind) -> Weights:
    """Return the verified weights of a kind of tokens. Raises WeightsError, or one error that lists several."""
    check_available(kind)
    return find_weights(*kind.weights)


def _destination_checks(job: Job, out: Path, options: Options) -> list[Any]:
    return [partial(check_destination, out, job.workspace.digests, overwrite=options.overwrite)]


def _segments(job: Job, medium: Medium, options: Options, coding: Coding, weights: Weights) -> list[Made]:
    """Encode the segments one after another, each from where the one before it ended."""
    length = max(1, round(coding.key_seconds * medium.fps))
    count = max(1, int(medium.frames / length + 1 - _SHORT_SHARE))
    made: list[Made] = []
    for number in range(count):
        last = number == count - 1
        params = encode_stage.Params(
            fps=str(medium.fps),
            first_frame=number * length,
            # The frame count of some videos is an estimate.
            frame_count=0 if last else length,
            size_pixels=options.size_pixels,
            face=options.face,
            no_face="fail" if options.no_face == "fail" else "hold",
            bits_per_second=1000 * coding.kilobits_per_second,
            tokens=coding.tokens,
            corrects=coding.corrects,
        )
        inputs: dict[str, Any] = {"media": medium.path}
        if made:
            inputs["before"] = made[-1].output(encode_stage.STATE)
        frames = medium.frames - number * length if last else length
        label = f"encode {number + 1}"
        made.append(job.run(encode_stage.STAGE, inputs, params, weights=weights, label=label, frames=frames))
    return made


def decode(job: Job, stream: Path, out: Path, options: Options, playing: Playing | None = None) -> Made:
    """Draw the frames of a stream, or find the video in the store, and deliver it to `out`."""
    playing = playing or Playing()
    header, weights = _check_decoding(job, stream, out, options)
    first = round(playing.from_second * header.fps)
    count = 0 if playing.seconds is None else max(1, round(playing.seconds * header.fps))
    params = decode_stage.Params(
        first_frame=first,
        frame_count=count,
        lost=playing.lost,
        quality=options.quality,
        codec=options.codec,
        container=options.container,
    )
    made = job.run(decode_stage.STAGE, {"stream": stream}, params, weights=weights, label="decode")
    _deliver(job, {"stream": stream}, out, made, [made], options, asdict(playing), weights)
    return made


def _check_decoding(job: Job, stream: Path, out: Path, options: Options) -> tuple[Header, Weights]:
    header, *_ = all_of(
        [
            lambda: read_stream_header(stream),
            lambda: check_work_folder(job),
            lambda: check_codec(options.codec),
            check_stills,
            *_destination_checks(job, out, options),
        ]
    )
    check_apart([out], [stream])
    assert isinstance(header, Header)
    try:
        kind = kind_of(header)
        weights = weights_of(kind)
        check_header(header, kind, weights)
    except InputError as error:
        raise InputError(f"{stream}: {error}") from error
    return header, weights


def read_stream_header(path: Path) -> Header:
    """Return the header of a stream. Raises InputError, which names the file."""
    check_input(path)
    with path.open("rb") as stream:
        try:
            return Reader(stream).header
        except InputError as error:
            raise InputError(f"{path}: {error}") from error


def _deliver(
    job: Job,
    inputs: Mapping[str, Path],
    out: Path,
    made: Made,
    stages: list[Made],
    options: Options,
    own: Mapping[str, Any],
    weights: Weights,
) -> None:
    if job.dry_run or isinstance(made, Pending):
        return
    unique = {one.folder: one for one in stages if isinstance(one, Artefact)}
    about = {
        "inputs": {role: described_input(path, job.workspace) for role, path in inputs.items()},
        "command": options.invocation,
        "options": {**options.as_json(), **own},
        "stages": [described(one) for one in unique.values()],
        "weights": {name: weight.sha256 for name, weight in weights.items()},
    }
    deliver(job, {out: made.sole_output()}, about, overwrite=options.overwrite)
