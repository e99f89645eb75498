"""An evaluation of the codec: code, label, measure, report; every finished coding is kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from facepipe.errors import DiskError, FacepipeError, FailedItemsError, Interrupted, WeightsError
from facepipe.evaluate.codec.cache import EMBEDDED, ORIGINAL, TEACHER, Cache
from facepipe.evaluate.codec.clips import CodecClip, cut
from facepipe.evaluate.codec.coding import Coder
from facepipe.evaluate.codec.figures import Figures, Result, gather
from facepipe.evaluate.codec.report import write_report
from facepipe.evaluate.codec.scores import PixelMeter, Points, landmark_scores, rate_scores, signals_of
from facepipe.evaluate.manifest import Case
from facepipe.evaluate.networks import Networks
from facepipe.evaluate.report import SHEETS
from facepipe.evaluate.teacher import check_teacher, label_folder
from facepipe.evaluate.tracked_clip import FaceTracker
from facepipe.media.decode import decode_frames


@dataclass(frozen=True)
class Outcome:
    """The result of an evaluation."""

    figures: Figures
    failures: list[str]


@dataclass(frozen=True)
class Tools:
    """What judges a clip."""

    tracker: FaceTracker
    networks: Networks
    teacher: Path | None
    """The Python of an environment with MediaPipe; None to judge by the embedded landmarker."""


def evaluate(
    cases: Sequence[Case],
    coders: Sequence[Coder],
    out: Path,
    *,
    teacher: Path | None = None,
    report_line: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Code every clip by every coder, judge the results, and write the report into the folder OUT.

    A clip that cannot be prepared or coded is reported and left out; raises FailedItemsError if none is left.
    """
    if teacher:
        check_teacher(teacher)
    # An interrupted evaluation is recognised as one by this folder.
    (out / SHEETS).mkdir(parents=True, exist_ok=True)
    tools, cache = Tools(FaceTracker(), Networks(), teacher), Cache(out, TEACHER if teacher else EMBEDDED)
    clips, failures = [], []
    for number, case in enumerate(cases, 1):
        try:
            clip = cut(case, out / "clips", tools.tracker)
            for line in _code_all(clip, coders, cache, tools):
                report_line(f"{number}/{len(cases)} {line}")
        except (Interrupted, DiskError, WeightsError):
            raise  # not a fault of this clip
        except FacepipeError as error:
            failures.append(f"{case.name}: {error}")
            report_line(f"{number}/{len(cases)} {case.name}: {error}")
            continue
        clips.append(clip)
    if not clips:
        raise FailedItemsError(failures)
    report_line("landmarks of the decoded clips")
    _label(clips, coders, cache, tools)
    figures = gather([_result(clip, coder, cache, tools) for clip in clips for coder in coders], coders)
    write_report(out, figures, clips, failures, _not_registered(tools.networks), cache)
    return Outcome(figures, failures)


def _not_registered(networks: Networks) -> list[str]:
    titles = {"lpips": "LPIPS", "identity": "identity distance"}
    return [
        f"{title} not registered: {networks.missing[name]}"
        for name, title in titles.items()
        if name in networks.missing
    ]


def _code_all(clip: CodecClip, coders: Sequence[Coder], cache: Cache, tools: Tools) -> Iterator[str]:
    """Code a clip by all coders that have not yet, and measure rate and pixels; yield a line about each."""
    missing = [coder for coder in coders if cache.scores(clip, coder) is None]
    if not missing:
        return
    track = tools.tracker.track(iter(clip.frames))
    meter = PixelMeter(clip.frames, Points(track.points, track.valid).held(), tools.networks)
    for coder in missing:
        coded = coder.code(clip)
        scores = rate_scores(coded, clip) | meter.scores(coded.frames)
        cache.store(clip, coder, coded, scores)
        yield f"{clip.name}: {coder.about}, {scores['rate']:.2f} kbit/s, {scores['psnr']:.2f} dB"


def _label(clips: Sequence[CodecClip], coders: Sequence[Coder], cache: Cache, tools: Tools) -> None:
    """Find the landmarks of all originals and decoded clips that have none."""
    for clip in clips:
        original = cache.video(clip.name, ORIGINAL)
        if not original.is_file():
            shutil.copyfile(clip.path, original)
    if tools.teacher:
        label_folder(cache.videos, cache.labels, tools.teacher)
        return
    for clip in clips:
        for setting in (ORIGINAL, *(coder.name for coder in coders)):
            if not cache.is_labelled(clip.name, setting):
                track = tools.tracker.track(decode_frames(cache.video(clip.name, setting)))
                cache.store_points(clip.name, setting, track.points, track.valid)


def _result(clip: CodecClip, coder: Coder, cache: Cache, tools: Tools) -> Result:
    """Return the scores of a clip and setting; measure the landmarks if that was not done."""
    content = cache.scores(clip, coder)
    assert content is not None
    if cache.judge not in content:
        made, truth = (cache.points(clip.name, setting) for setting in (coder.name, ORIGINAL))
        scores, followed = landmark_scores(made, truth, tools.tracker.model)
        content = cache.update(clip, coder, {**content, cache.judge: [scores, signals_of(followed)]})
    scores, signals = content[cache.judge]
    return Result(clip.name, coder.name, content["scores"] | scores, signals, content["tokens"])
