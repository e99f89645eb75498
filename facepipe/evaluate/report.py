"""The files of a report: clips.csv, summary.json, report.html and the stills."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from facepipe import __version__
from facepipe.engine.page_text import cell
from facepipe.evaluate.figures import Figures
from facepipe.evaluate.judging import DRIVER, Judged
from facepipe.evaluate.measures import MEASURES, description_of
from facepipe.evaluate.page import page
from facepipe.evaluate.signals import SIGNALS
from facepipe.evaluate.staging import UNMOVED, Setting
from facepipe.media.contact import contact_sheet
from facepipe.media.files import draft_of
from facepipe.media.image import write_image

FORMAT, VERSION = "facepipe-evaluation", 2
TILE_PIXELS = 160
INSIDE_MATTE = (
    "PSNR, SSIM, LPIPS, feature distance, mouth region and sharpness of all candidates: inside the matte of the "
    "driver's person"
)
SUMMARY, CLIPS, PAGE, SHEETS = "summary.json", "clips.csv", "report.html", "sheets"


def write_sheet(folder: Path, judged: Judged) -> None:
    """Write a case's stills as FOLDER/NAME.jpg: one row per candidate below the driver's, with the mouth at its end."""
    rows = [name for name in judged.stills if name != UNMOVED]
    tiles, labels = [], []
    for name in rows:
        row = [*judged.stills[name], judged.mouths[name]]
        tiles += row
        labels += [name, *[""] * (len(row) - 1)]
    if judged.task == "cross" and UNMOVED in judged.stills:
        tiles, labels = [*tiles, judged.stills[UNMOVED][0]], [*labels, "source"]
    folder.mkdir(parents=True, exist_ok=True)
    columns = len(judged.stills[DRIVER]) + 1
    sheet = contact_sheet(tiles, columns=columns, labels=labels, tile_height=TILE_PIXELS)
    write_image(folder / f"{judged.case.name}.jpg", sheet, quality=82)


def write_report(
    out: Path,
    setting: Setting,
    cases: Sequence[Judged],
    figures: Figures,
    failures: Sequence[str],
    missing: Mapping[str, str],
) -> None:
    """Write all files but the stills, each of them atomically. Raises DiskError."""
    notes = notes_on(missing, failures, inside_matte=figures.inside_matte)
    title = f"facepipe evaluate: {_tested(setting, cases)}, {'same' if figures.task == 'same' else 'cross'} identity"
    frames = f"{setting.frames_per_clip} frames per clip" if setting.frames_per_clip else "all frames"
    begin = f" from second {setting.first_second:g}" if setting.first_second else ""
    about = f"{len(cases)} clips{begin}, {setting.size} pixels, {frames}, facepipe {__version__}"
    texts = {
        CLIPS: clips_table(cases),
        SUMMARY: json.dumps(summary(setting, cases, figures, failures, missing), indent=2, sort_keys=True) + "\n",
        PAGE: page(title, about, figures, cases, notes, out / SHEETS),
    }
    for name, text in texts.items():
        with draft_of(out / name) as draft:
            draft.write_text(text, encoding="utf-8")


def _tested(setting: Setting, cases: Sequence[Judged]) -> str:
    given = sum(case.case.result is not None for case in cases)
    return (
        setting.renderer
        if not given
        else "given results"
        if given == len(cases)
        else f"given results and {setting.renderer}"
    )


def notes_on(missing: Mapping[str, str], failures: Sequence[str], *, inside_matte: bool = False) -> list[str]:
    """Return the notes below the figures: where pixels were compared, missing networks, and cases that failed."""
    titles = {"lpips": "LPIPS", "fid": "FID", "identity": "identity similarity", "bfm": "AED and APD in the space bfm"}
    return [
        *([INSIDE_MATTE] if inside_matte else []),
        *(f"{titles[measure]} not registered: {remedy}" for measure, remedy in missing.items()),
        *(f"failed: {failure}" for failure in failures),
    ]


def clips_table(cases: Sequence[Judged]) -> str:
    """Return the CSV: one row per case and candidate, one column per measure, empty where it could not be measured."""
    text = io.StringIO()
    names = [*MEASURES, *(f"correlation_{one.replace(' ', '_')}" for one in SIGNALS)]
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["name", "candidate", "driver", "source", "result", "frames", *names])
    for judged in cases:
        case = judged.case
        paths = [cell(str(path or "")) for path in (case.driver, case.source, case.result)]
        for candidate, scores in judged.scores.items():
            values = [scores.get(measure, math.nan) for measure in (*MEASURES, *SIGNALS)]
            cells = ["" if math.isnan(value) else f"{value:.6g}" for value in values]
            table.writerow([cell(case.name), candidate, *paths, judged.frames, *cells])
    return text.getvalue()


def summary(
    setting: Setting, cases: Sequence[Judged], figures: Figures, failures: Sequence[str], missing: Mapping[str, str]
) -> dict[str, Any]:
    """Return the content of summary.json (docs/evaluation.md)."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "facepipe": __version__,
        "task": figures.task,
        "tested": _tested(setting, cases),
        "size_pixels": setting.size,
        "frames_per_clip": setting.frames_per_clip,
        "first_second": setting.first_second,
        "compared_in": "matte" if figures.inside_matte else "picture",
        "cases": len(cases),
        "failed": list(failures),
        "metrics": [
            {"metric": one.name, "measured": one.measured, "threshold": one.threshold, "met": one.met}
            for one in figures.metrics
        ],
        "means": figures.means,
        "candidates": {name: description_of(name) for name in figures.means},
        "correlations": {
            who: {
                name: {"all_frames": _number(pooled), "mean_of_clips": _number(each)}
                for name, (pooled, each) in signals.items()
            }
            for who, signals in figures.correlations.items()
        },
        "seen_by_teacher": _number(figures.seen_by_teacher),
        "fid": {"pictures": figures.fid_pictures, **figures.fid} if figures.fid else None,
        "not_registered": dict(missing),
    }


def _number(value: float) -> float | None:
    # JSON has no NaN.
    return None if math.isnan(value) else value
