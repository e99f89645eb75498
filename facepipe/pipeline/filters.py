"""`encode` and `decode` as filters: from stdin or to stdout, in one pass, without the work folder."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from facepipe.codec import Reader, SoundFormat
from facepipe.coding.assembling import opus_packets, sound_format
from facepipe.coding.models import KINDS, check_header, digest_of, kind_of
from facepipe.coding.playing import Player, key_before, remarks_on, write_video
from facepipe.coding.segment import SegmentCoder
from facepipe.coding.streaming import encode_stream, play_to_pipe
from facepipe.engine import Job
from facepipe.errors import InputError, UsageError
from facepipe.media.decode import decode_frames
from facepipe.media.files import draft_of, make_parent
from facepipe.media.live import LiveInput
from facepipe.media.ogg import samples_of
from facepipe.media.opus import OpusFormat, check_opus, encode_opus, format_of
from facepipe.media.probe import probe_video
from facepipe.media.sound import probe_sound
from facepipe.media.stills_codec import check_stills
from facepipe.pipeline.codec import Coding, Playing, weights_of
from facepipe.pipeline.delivery import check_destination
from facepipe.pipeline.options import Options
from facepipe.pipeline.precheck import Medium, inspect

PIPE = Path("-")
"""The name of stdin and stdout."""


@dataclass(frozen=True)
class _Source:
    """What is encoded."""

    frames: Iterator[Any]
    fps: Fraction
    sound: SoundFormat | None = None
    packets: Iterable[bytes | None] = ()


def encode(job: Job, clip: Path, out: Path, options: Options, coding: Coding) -> None:
    """Encode a clip, or stdin, to a stream, or stdout."""
    _check_terminal(out, sys.stdout)
    _check_terminal(clip, sys.stdin)
    check_stills()
    if coding.sound:
        check_opus()
    weights = weights_of(KINDS[coding.tokens])
    with ExitStack() as stack:
        source = stack.enter_context(_source(clip, options, coding))
        target = stack.enter_context(_target(job, out, options))
        coder = SegmentCoder(
            {name: weight.path for name, weight in weights.items()},
            kind=coding.tokens,
            fps=source.fps,
            size_pixels=options.size_pixels,
            face=options.face,
            bits_per_second=1000 * coding.kilobits_per_second,
            corrects=coding.corrects,
        )
        writer = encode_stream(
            source.frames,
            coder,
            target,
            segment_frames=max(1, round(coding.key_seconds * source.fps)),
            model_digest=digest_of(KINDS[coding.tokens], weights),
            sound=source.sound,
            packets=source.packets,
        )
    job.count(writer.frame_count)


def decode(job: Job, stream: Path, out: Path, options: Options, playing: Playing) -> None:
    """Draw a stream, or stdin, to a video, or to stdout as Matroska. Raises InputError at the end if it was cut off."""
    _check_terminal(out, sys.stdout)
    _check_terminal(stream, sys.stdin)
    check_stills()
    name = "stdin" if stream == PIPE else str(stream)
    with ExitStack() as stack:
        source = sys.stdin.buffer if stream == PIPE else stack.enter_context(stream.open("rb"))
        try:
            player, first, end = _player(source, playing, seekable=stream != PIPE)
            if out == PIPE:
                lost = play_to_pipe(player, first=first, end=end, quality=options.quality)
                remarks = remarks_on(player, whole=end is None, lost_sound=lost)
            else:
                make_parent(out)
                check_destination(out, job.workspace.digests, overwrite=options.overwrite)
                _, remarks = write_video(
                    player, out, first=first, end=end, quality=options.quality, codec=options.codec
                )
        except InputError as error:
            raise InputError(f"{name}: {error}", detail=error.detail) from error
    for remark in remarks:
        job.remark(remark, label="decode")
    losses = player.drawer.losses
    job.count(losses.frame_count)
    if end is None and not losses.complete:
        raise InputError(f"{name}: the stream ends early, after frame {losses.frame_count}; what came is drawn")


def _player(source: BinaryIO, playing: Playing, *, seekable: bool) -> tuple[Player, int, int | None]:
    """Open a stream; return it with the first frame and the end."""
    start = playing.from_second
    header = None
    if seekable:
        header = Reader(source).header
        source.seek(0)
    at = key_before(source, round(start * header.fps)) if header and start else None
    reader = Reader(source, at)
    kind = kind_of(reader.header)
    weights = weights_of(kind)
    check_header(reader.header, kind, weights)
    player = Player.of(reader, {name: weight.path for name, weight in weights.items()}, lost=playing.lost, at=at)
    first = round(start * reader.header.fps)
    end = None if playing.seconds is None else first + max(1, round(playing.seconds * reader.header.fps))
    return player, first, end


def _check_terminal(path: Path, stream: Any) -> None:
    if path == PIPE and stream.isatty():
        raise UsageError("- is a terminal, which neither shows nor gives a video; use a pipe, or give a file")


@contextmanager
def _source(clip: Path, options: Options, coding: Coding) -> Iterator[_Source]:
    if clip == PIPE:
        rate = coding.sound_kilobits_per_second if coding.sound else None
        with LiveInput(options.limits, sound_kilobits_per_second=rate) as live:
            yield _live_source(live)
        return
    medium = inspect(clip, options.limits)
    with tempfile.TemporaryDirectory(prefix="facepipe-") as folder:
        yield _file_source(clip, medium, options, coding, Path(folder))


def _live_source(live: LiveInput) -> _Source:
    if not live.has_sound:
        return _Source(live.frames(), live.fps)
    packets = live.packets()
    head, _, first = (_whole(packets) for _ in range(3))
    if not first:
        return _Source(live.frames(), live.fps)
    opus = OpusFormat(head, head[9], samples_of(first), int.from_bytes(head[10:12], "little"))
    return _Source(live.frames(), live.fps, sound_format(opus), chain([first], packets))


def _whole(packets: Iterator[bytes | None]) -> bytes:
    """Return the next packet, and wait for it; empty at the end."""
    return next((packet for packet in packets if packet is not None), b"")


def _file_source(clip: Path, medium: Medium, options: Options, coding: Coding, folder: Path) -> _Source:
    frames = decode_frames(clip, info=probe_video(clip, options.limits))
    if not coding.sound or not medium.has_sound:
        return _Source(frames, medium.fps)
    ogg = folder / "sound.ogg"
    sound = probe_sound(clip, options.limits, track=options.track)
    encode_opus(sound, ogg, kilobits_per_second=coding.sound_kilobits_per_second)
    found = format_of(ogg)
    if found is None:
        return _Source(frames, medium.fps)
    return _Source(frames, medium.fps, sound_format(found), opus_packets(ogg))


@contextmanager
def _target(job: Job, out: Path, options: Options) -> Iterator[BinaryIO]:
    if out == PIPE:
        yield sys.stdout.buffer
        return
    make_parent(out)
    check_destination(out, job.workspace.digests, overwrite=options.overwrite)
    with draft_of(out) as draft, draft.open("wb") as stream:
        yield stream
