"""An evaluation from manifest to report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from facepipe.errors import (
    DiskError,
    FacepipeError,
    FailedItemsError,
    InputError,
    Interrupted,
    UsageError,
    WeightsError,
)
from facepipe.evaluate.figures import Figures, gather
from facepipe.evaluate.footage import Eyes
from facepipe.evaluate.judging import Judge, Judged
from facepipe.evaluate.manifest import Case
from facepipe.evaluate.networks import Networks
from facepipe.evaluate.report import SHEETS, SUMMARY, write_report, write_sheet
from facepipe.evaluate.scene import Setting
from facepipe.evaluate.teacher import check_teacher, label, teachers_view
from facepipe.media.files import check_output
from facepipe.pipeline.rendering import check_weights
from facepipe.renderers import RENDERERS


@dataclass(frozen=True)
class Outcome:
    """An evaluation that has ended."""

    cases: list[Judged]
    figures: Figures
    failures: list[str]
    missing: dict[str, str]
    seen_by_teacher: float = float("nan")
    """Share of the results' frames in which the teacher sees a face."""


def evaluate(
    cases: list[Case],
    setting: Setting,
    out: Path,
    *,
    teacher: Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Judge the cases one after the other and write the report into the folder OUT.

    A case that cannot be judged is told of and left out; raises FailedItemsError where none can.
    """
    if setting.renderer not in RENDERERS:
        raise UsageError(f"--renderer is {setting.renderer!r}, expected one of {', '.join(sorted(RENDERERS))}")
    if any(case.result is None for case in cases):
        check_weights(setting.options(setting.renderer, setting.size))
    if teacher:
        check_teacher(teacher)
    judge = Judge(setting, Eyes(), Networks(), out)
    done, failures = [], []
    for number, case in enumerate(cases, 1):
        try:
            judged = judge.judge(case)
        except (Interrupted, DiskError, WeightsError):
            raise  # not this case's fault
        except FacepipeError as error:
            failures.append(f"{case.name}: {error}")
            tell(f"{number}/{len(cases)} {case.name}: {error}")
            continue
        write_sheet(out / SHEETS, judged)
        # The stills are on disk now, and memory must not grow with the list.
        done.append(replace(judged, stills={}, mouths={}))
        tell(f"{number}/{len(cases)} {case.name}: {line_of(judged)}")
    if not done:
        raise FailedItemsError(failures)
    followed, seen = None, float("nan")
    if teacher:
        tell("the teacher is looking")
        label(out, teacher)
        found, seen = teachers_view((judged.case.name for judged in done), out, judge.eyes.model)
        followed = list(found.values())
    figures = gather(done, judge.features, followed)
    write_report(out, setting, done, figures, failures, judge.networks.missing)
    return Outcome(done, figures, failures, judge.networks.missing, seen)


def line_of(judged: Judged) -> str:
    """Return a case's figures in a few words."""
    scores = judged.scores
    if judged.task == "cross":
        mine = scores["result"]
        return f"colour {mine['colour']:.1f}, flicker {mine['flicker']:.2f}, sharpness {mine['sharpness']:.2f}"
    return ", ".join(f"{name} {scores[name]['psnr']:.2f} dB" for name in scores)


def check_out(out: Path, *, overwrite: bool) -> None:
    """Make the folder of the report; raise UsageError where it holds something else, InputError where it cannot be."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        foreign = any(out.iterdir()) and not (out / SUMMARY).is_file() and not (out / SHEETS).is_dir()
    except OSError as error:
        raise InputError(
            f"{out}: cannot be the folder of a report ({error.strerror}); choose another with -o"
        ) from error
    if foreign and not overwrite:
        raise UsageError(f"{out} exists and holds no evaluation; choose another folder with -o, or say --overwrite")
    check_output(out / SUMMARY)
