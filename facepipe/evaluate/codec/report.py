"""The files of the codec's report: clips.csv, settings.csv, summary.json, report.html and the stills."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from facepipe import __version__
from facepipe.coding.models import KINDS
from facepipe.engine.page_text import cell
from facepipe.evaluate.codec.anchors import ABOUT as ABOUT_ANCHORS
from facepipe.evaluate.codec.anchors import RIVALS
from facepipe.evaluate.codec.cache import ORIGINAL, TEACHER, Cache
from facepipe.evaluate.codec.clips import CHOICE, FPS, FRAMES, SECONDS, SIZE_PIXELS, CodecClip
from facepipe.evaluate.codec.figures import Figures, SettingFigures
from facepipe.evaluate.codec.measures import MEASURES
from facepipe.evaluate.codec.metrics import metrics_of, pixel_remark, tested_setting
from facepipe.evaluate.codec.page import ordered, page
from facepipe.evaluate.report import CLIPS, PAGE, SHEETS, SUMMARY
from facepipe.evaluate.signals import SIGNALS
from facepipe.media.contact import contact_sheet
from facepipe.media.decode import decode_frames
from facepipe.media.files import draft_of
from facepipe.media.image import write_image

FORMAT, VERSION = "facepipe-codec-evaluation", 1
SETTINGS = "settings.csv"
STILL_POSITIONS, TILE_PIXELS = (0.0, 0.3, 0.6, 0.98), 160


def write_report(
    out: Path,
    figures: Figures,
    clips: Sequence[CodecClip],
    failures: Sequence[str],
    missing: Sequence[str],
    cache: Cache,
) -> None:
    """Write all files, each of them atomically; `missing` says what was not measured. Raises DiskError."""
    for clip in clips:
        _write_sheet(out / SHEETS, clip, figures, cache)
    about = (
        f"clips: {len(clips)}, of {SECONDS:g} s, {SIZE_PIXELS}x{SIZE_PIXELS} pixels, {float(FPS):g} frames/s, {FRAMES} "
        f"frames; facepipe {__version__}"
    )
    own = [family for family in KINDS if figures.family(family)]
    content = summary(figures, own, failures, cache.judge)
    notes = [*notes_on(cache.judge), *missing, *(f"failed: {failure}" for failure in failures)]
    texts = {
        CLIPS: clips_table(figures),
        SETTINGS: settings_table(figures),
        SUMMARY: json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n",
        PAGE: page("facepipe evaluate: codec", about, figures, own, notes, out / SHEETS),
    }
    for name, text in texts.items():
        with draft_of(out / name) as draft:
            draft.write_text(text, encoding="utf-8")


def notes_on(judge: str) -> list[str]:
    """Return what the figures mean."""
    teacher = "MediaPipe, which is not part of the codec; the embedded landmarker was trained with labels of it"
    who = teacher if judge == TEACHER else "the embedded landmarker, which the encoder uses too"
    return [
        f"Of a data folder, the clips are {CHOICE}.",
        ABOUT_ANCHORS,
        f"Landmarks and correlations are judged by {who}. The landmark error is the mean distance of the 478 points "
        "in the picture over the distance of the outer eye corners, in frames in which it finds a face in both clips. "
        "Frames in which it finds one only in the original are counted apart, which flatters a codec that loses faces.",
        "The face shape is the root mean square distance of the fitted faces at rest: identity, as far as geometry.",
        "Of facepipe's files all bytes count: header, packets, checksums. SSIM, feature distance and sharpness are of "
        "every fifth frame. The feature distance is that of docs/evaluation.md, which favours renderers that were "
        "trained with it.",
        "Speeds are of whole commands with their start, by the clock of a machine that may do other work, and per "
        "second of processor time.",
    ]


def clips_table(figures: Figures) -> str:
    """Return the CSV with one row per clip and setting; empty cells where a measure is missing."""
    rows = [[cell(one.clip), one.setting, *_cells(one.scores)] for one in figures.results]
    return _csv([["clip", "setting", *MEASURES, "token_bytes"], *rows])


def settings_table(figures: Figures) -> str:
    """Return the CSV with one row of means per setting."""
    rows = [
        [one.name, one.about, *_cells(one.means)[:-1], *(_text(one.correlations.get(name)) for name in SIGNALS)]
        for one in ordered(figures)
    ]
    return _csv(
        [["setting", "about", *MEASURES, *(f"correlation_{name.replace(' ', '_')}" for name in SIGNALS)], *rows]
    )


def _cells(scores: Any) -> list[str]:
    return [_text(scores.get(name)) for name in (*MEASURES, "token_bytes")]


def _text(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.6g}"


def _csv(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def summary(figures: Figures, own: Sequence[str], failures: Sequence[str], judge: str) -> dict[str, Any]:
    """Return the content of summary.json (docs/evaluation.md)."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "facepipe": __version__,
        "judge": judge,
        "clips": sorted({one.clip for one in figures.results}),
        "failed": list(failures),
        "settings": {one.name: _setting(one) for one in figures.settings},
        "tested": {
            family: {
                "setting": tested_setting(figures.family(family)).name,
                "metrics": [
                    {"metric": one.name, "measured": one.measured, "threshold": one.threshold, "met": one.met}
                    for one in metrics_of(figures, family)
                ],
                "remark": pixel_remark(figures, family),
            }
            for family in own
        },
    }


def _setting(one: SettingFigures) -> dict[str, Any]:
    correlations = {name: None if math.isnan(value) else value for name, value in one.correlations.items()}
    return {
        "codec": one.family,
        "about": one.about,
        "means": dict(one.means),
        "correlations": correlations,
        "coded_over_entropy": one.coded_over_entropy,
    }


def shown_settings(figures: Figures) -> list[SettingFigures]:
    """Return the settings of the stills: the tested ones, and the lowest rates of VVC and AV1."""
    own = [tested_setting(figures.family(family)) for family in KINDS if figures.family(family)]
    return own + [figures.family(rival)[0] for rival in RIVALS if figures.family(rival)]


def _write_sheet(folder: Path, clip: CodecClip, figures: Figures, cache: Cache) -> None:
    """Write FOLDER/CLIP.jpg: a row of moments of the original, and one of each shown setting."""
    tiles: list[np.ndarray] = []
    labels: list[str] = []
    moments = [round(position * (len(clip.frames) - 1)) for position in STILL_POSITIONS]
    rates = {one.setting: one.scores["rate"] for one in figures.results if one.clip == clip.name}
    for name in (ORIGINAL, *(one.name for one in shown_settings(figures))):
        frames = list(islice(decode_frames(cache.video(clip.name, name)), max(moments) + 1))
        tiles += [frames[moment] for moment in moments]
        labels += [f"{name} {rates[name]:.1f} kbit/s" if name in rates else name, *[""] * (len(moments) - 1)]
    folder.mkdir(parents=True, exist_ok=True)
    sheet = contact_sheet(tiles, columns=len(moments), labels=labels, tile_height=TILE_PIXELS)
    write_image(folder / f"{clip.name}.jpg", sheet, quality=82)
