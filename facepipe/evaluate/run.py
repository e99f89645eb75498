"""An evaluation from manifest to report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from facepipe.engine import Workspace
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
from facepipe.evaluate.judging import Judge, Judged
from facepipe.evaluate.manifest import Case
from facepipe.evaluate.networks import Networks
from facepipe.evaluate.report import SHEETS, SUMMARY, write_report, write_sheet
from facepipe.evaluate.staging import Setting
from facepipe.evaluate.teacher import check_teacher, label, teachers_view
from facepipe.evaluate.tracked_clip import FaceTracker
from facepipe.media.files import check_output
from facepipe.pipeline.precheck import find_weights
from facepipe.pipeline.rendering import check_weights
from facepipe.rendering import matting
from facepipe.rendering.spec import MATTING


@dataclass(frozen=True)
class Outcome:
    """The result of an evaluation."""

    cases: list[Judged]
    figures: Figures
    failures: list[str]
    missing: dict[str, str]
    """By measure: how to register the network that it needs."""


def evaluate(
    cases: list[Case],
    setting: Setting,
    out: Path,
    work: Path,
    *,
    teacher: Path | None = None,
    report_line: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Judge the cases one by one and write the report into the folder OUT.

    Args:
        cases: The cases to evaluate.
        setting: The parameters of the evaluation.
        out: The folder of the report.
        work: The work folder, in which the stages keep their results.
        teacher: The Python of an environment with MediaPipe; None for no second opinion.
        report_line: Called with a line of text about each case.

    A case that cannot be judged is reported and left out; raises FailedItemsError if none can be judged.
    """
    for renderer in setting.renderers(finished=all(case.result for case in cases)).values():
        # Without the first second, because a clip that is too short is a fault of that case alone.
        check_weights(replace(setting, first_second=0.0).options(cases[0], renderer, setting.size))
    matte = matting.open_matting(find_weights(MATTING)[MATTING].path) if setting.inside_matte else None
    if teacher:
        check_teacher(teacher)
    workspace = Workspace(work)
    workspace.precheck(make=False)
    judge = Judge(setting, FaceTracker(), Networks(), workspace, out, matte)
    done, failures = _judge_all(judge, cases, report_line)
    opinion = None
    if teacher:
        report_line("the teacher labels the clips")
        label(out, teacher)
        opinion = teachers_view((judged.case.name for judged in done), out, judge.tracker.model)
    figures = gather(done, judge.features, opinion, setting)
    write_report(out, setting, done, figures, failures, judge.networks.missing)
    return Outcome(done, figures, failures, judge.networks.missing)


def _judge_all(judge: Judge, cases: list[Case], report_line: Callable[[str], None]) -> tuple[list[Judged], list[str]]:
    """Judge every case and write its stills; return the judged cases and the messages of those that failed."""
    done, failures = [], []
    for number, case in enumerate(cases, 1):
        try:
            judged = judge.judge(case)
        except (Interrupted, DiskError, WeightsError):
            raise  # not a fault of this case
        except FacepipeError as error:
            failures.append(f"{case.name}: {error}")
            report_line(f"{number}/{len(cases)} {case.name}: {error}")
            continue
        write_sheet(judge.out / SHEETS, judged)
        # The stills are on disk now; memory must not grow with the number of cases.
        done.append(replace(judged, stills={}, mouths={}))
        report_line(f"{number}/{len(cases)} {case.name}: {line_of(judged)}")
    if not done:
        raise FailedItemsError(failures)
    return done, failures


def line_of(judged: Judged) -> str:
    """Return the most important scores of a case as a line of text."""
    scores = judged.scores
    if judged.task == "cross":
        mine = scores["result"]
        return f"colour {mine['colour']:.1f}, flicker {mine['flicker']:.2f}, sharpness {mine['sharpness']:.2f}"
    return ", ".join(f"{name} {scores[name]['psnr']:.2f} dB" for name in scores)


def check_out(out: Path, *, overwrite: bool) -> None:
    """Make the folder of the report. Raises UsageError if it holds other files, InputError if it cannot be made."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        foreign = any(out.iterdir()) and not (out / SUMMARY).is_file() and not (out / SHEETS).is_dir()
    except OSError as error:
        raise InputError(
            f"{out}: cannot create the folder of the report ({error.strerror}); choose another with -o"
        ) from error
    if foreign and not overwrite:
        raise UsageError(f"{out} exists and is not an evaluation; choose another folder with -o, or use --overwrite")
    check_output(out / SUMMARY)
