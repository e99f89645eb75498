"""The report as one self-contained HTML page: tables, plots, and stills side by side."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from facepipe.engine.page_text import escape
from facepipe.evaluate.figures import Figures
from facepipe.evaluate.judging import Judged
from facepipe.evaluate.measures import MEASURES, title_of
from facepipe.evaluate.plots import curves, dots
from facepipe.evaluate.signals import SIGNALS
from facepipe.evaluate.staging import RESULT, UNMOVED

# Maximum number of cases with stills, evenly spaced over the list, because stills make up most of the page's size.
MAX_DISPLAYED = 60
PLOTTED = (
    "psnr",
    "ssim",
    "lpips",
    "feature_distance",
    "mouth_l1",
    "sharpness",
    "flicker",
    "aed",
    "apd_angles",
    "shape",
    "colour",
    "identity",
)
STYLE = """
body{font:14px/1.45 system-ui,sans-serif;margin:24px auto;max-width:1180px;padding:0 16px;color:#222;background:#fff}
h1{font-size:22px;margin-bottom:2px}h2{font-size:17px;margin-top:34px;border-bottom:1px solid #ccc}
h3{font-size:14px;margin:26px 0 4px}
p.about{color:#555;margin-top:0}table{border-collapse:collapse;margin:10px 0}
th,td{padding:3px 12px 3px 0;text-align:left;border-bottom:1px solid #e4e4e4}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
.yes{color:#1b7f3b}.no{color:#b3261e;font-weight:600}.tick{font-size:10px;fill:#666}
svg text{font:12px system-ui,sans-serif}
svg text.tick{font-size:10px}.grid{stroke:#e6e6e6}.band{fill:#1b7f3b;opacity:.09}img{max-width:100%;display:block}
.plots{display:flex;flex-wrap:wrap;gap:14px}.curves{display:flex;flex-wrap:wrap;gap:4px}
"""


def page(title: str, about: str, figures: Figures, cases: Sequence[Judged], notes: Sequence[str], sheets: Path) -> str:
    """Return the page; the folder `sheets` holds NAME.jpg of each case."""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1><p class=about>{escape(about)}</p>"
        f"{_metrics(figures)}{_means(figures)}{_correlations(figures)}{_notes(notes)}"
        f"<h2>Case by case</h2><p class=about>One column of dots per case, in the order of the result's values.</p>"
        f'<div class="plots">{"".join(_plots(cases, figures))}</div>'
        f"<h2>Stills</h2>{_stills(cases, sheets)}</body></html>\n"
    )


def _metrics(figures: Figures) -> str:
    cells = {True: '<td class="yes">met</td>', False: '<td class="no">not met</td>'}
    rows = "".join(
        f"<tr><td>{escape(one.name)}</td><td class=n>{escape(one.measured)}</td>"
        f"<td class=n>{escape(one.threshold)}</td>{cells[one.met]}</tr>"
        for one in figures.metrics
    )
    return f"<h2>Metrics</h2><table><tr><th>metric<th class=n>measured<th class=n>threshold<th></tr>{rows}</table>"


def _means(figures: Figures) -> str:
    names = list(figures.means)
    rows = []
    for measure, one in MEASURES.items():
        found = [figures.means[name].get(measure, math.nan) for name in names]
        if not all(math.isnan(value) for value in found):
            cells = "".join(f"<td class=n>{value_text(measure, value)}</td>" for value in found)
            rows.append(f"<tr><td>{escape(one.title)}</td>{cells}</tr>")
    if figures.fid:
        cells = "".join(f"<td class=n>{figures.fid.get(name, math.nan):.2f}</td>" for name in names)
        rows.append(f"<tr><td>FID, {figures.fid_pictures} pictures</td>{cells}</tr>")
    head = "".join(f"<th class=n>{escape(name)}" for name in names)
    return f"<h2>Means over cases</h2><table><tr><th>measure{head}</tr>{''.join(rows)}</table>"


def value_text(measure: str, value: float) -> str:
    """Return the value of a measure as text for tables."""
    one = MEASURES[measure]
    return "–" if math.isnan(value) else f"{value * one.scale:.{one.digits}f}"


def _correlations(figures: Figures) -> str:
    who = {name: f"{title_of(name)}, embedded landmarker" for name in figures.correlations} | {
        "own": "result, embedded landmarker",
        "teacher": "result, the teacher's landmarks",
    }
    rows = "".join(
        f"<tr><td>{who[name]}</td>"
        + "".join(f"<td class=n>{signals[one][0]:.3f} ({signals[one][1]:.3f})</td>" for one in SIGNALS)
        + "</tr>"
        for name, signals in figures.correlations.items()
    )
    head = "".join(f"<th class=n>{name}" for name in SIGNALS)
    return (
        "<h2>Correlation with the driver</h2><p class=about>Over all frames, after subtracting each clip's mean; in "
        f"brackets the mean over clips.</p><table><tr><th>{head}</tr>{rows}</table>"
    )


def _notes(notes: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(note)}</li>' for note in notes)}</ul>" if notes else ""


def _plots(cases: Sequence[Judged], figures: Figures) -> list[str]:
    found, names = [], list(dict.fromkeys(name for case in cases for name in case.scores))
    for measure in PLOTTED:
        if cases[0].task not in MEASURES[measure].tasks:
            continue
        series: Mapping[str, list[float]] = {
            name: [MEASURES[measure].scale * case.scores.get(name, {}).get(measure, math.nan) for case in cases]
            for name in names
        }
        if measure in ("sharpness", "flicker"):
            series = {name: values for name, values in series.items() if name != UNMOVED}
        if any(math.isfinite(value) for values in series.values() for value in values):
            band = figures.sharpness if measure == "sharpness" and cases[0].task == "same" else None
            found.append(dots(MEASURES[measure].of_clip, series, band=band))
    return found


def _stills(cases: Sequence[Judged], sheets: Path) -> str:
    displayed = np.unique(np.linspace(0, len(cases) - 1, MAX_DISPLAYED).astype(int))
    parts = [f"<p class=about>{len(displayed)} of {len(cases)} cases.</p>"] if len(displayed) < len(cases) else []
    parts += [_case(cases[place], sheets) for place in displayed]
    return "".join(parts)


def _case(case: Judged, sheets: Path) -> str:
    picture = base64.b64encode((sheets / f"{case.case.name}.jpg").read_bytes()).decode()
    figures = ", ".join(
        f"{MEASURES[measure].of_clip} {value_text(measure, value)}"
        for measure, value in case.scores[RESULT].items()
        if measure in ("psnr", "mouth_l1", "sharpness", "flicker", "aed", "shape", "colour")
    )
    followed = case.followed.get(RESULT)
    lines = (
        "".join(
            curves(f"{name}: driver blue, result red", {"driver": followed.wanted[name], "result": followed.got[name]})
            for name in SIGNALS
        )
        if followed
        else ""
    )
    return (
        f"<h3>{escape(case.case.name)}</h3><p class=about>{case.frames} frames; {escape(figures)}</p>"
        f'<img alt="{escape(case.case.name)}" src="data:image/jpeg;base64,{picture}"><div class="curves">{lines}</div>'
    )
