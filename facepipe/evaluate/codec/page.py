"""The report of the codec's evaluation as one self-contained HTML page."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

from facepipe.coding.models import KINDS
from facepipe.engine.page_text import escape
from facepipe.evaluate.codec.figures import Figures, SettingFigures
from facepipe.evaluate.codec.measures import MEASURES, value_text
from facepipe.evaluate.codec.metrics import metrics_of, pixel_remark, tested_setting
from facepipe.evaluate.codec.plot import rate_plot
from facepipe.evaluate.page import STYLE
from facepipe.evaluate.signals import SIGNALS

PLOTTED = {"landmarks": False, "feature_distance": False, "psnr": True, "ssim": True}
"""Measures of the plots, and whether higher values are better."""


def page(title: str, about: str, figures: Figures, own: Sequence[str], notes: Sequence[str], sheets: Path) -> str:
    """Return the page. `own` are the codecs with thresholds; the folder `sheets` holds CLIP.jpg."""
    parts = [_metrics(figures, family) for family in own]
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}table{{font-size:12px}}td.setting{{white-space:nowrap}}</style></head><body><h1>{escape(title)}</h1>"
        f"<p class=about>{escape(about)}</p>{''.join(parts)}"
        "<h2>Rate and distortion</h2><p class=about>Means over the clips. A line joins the settings of a codec that "
        f"no other setting of it beats.</p><div class=plots>{_plots(figures)}</div>"
        f"<h2>All settings</h2>{_table(figures)}"
        f"<ul>{''.join(f'<li>{escape(note)}</li>' for note in notes)}</ul>"
        f"<h2>Stills</h2>{_stills(figures, sheets)}</body></html>\n"
    )


def _metrics(figures: Figures, family: str) -> str:
    cells = {True: '<td class="yes">met</td>', False: '<td class="no">not met</td>'}
    rows = "".join(
        f"<tr><td>{escape(one.name)}</td><td class=n>{escape(one.measured)}</td>"
        f"<td class=n>{escape(one.threshold)}</td>{cells[one.met]}</tr>"
        for one in metrics_of(figures, family)
    )
    tested = tested_setting(figures.family(family))
    return (
        f"<h2>{escape(tested.about)}</h2><p class=about>{escape(pixel_remark(figures, family))}</p>"
        f"<table><tr><th>metric<th class=n>measured<th class=n>threshold<th></tr>{rows}</table>"
    )


def _plots(figures: Figures) -> str:
    found = []
    for measure, higher in PLOTTED.items():
        series: dict[str, list[tuple[float, float]]] = {}
        for one in figures.settings:
            if measure in one.means:
                series.setdefault(_legend(one.family), []).append((one.means["rate"], one.means[measure]))
        found.append(rate_plot(MEASURES[measure].title, series, higher_is_better=higher))
    return "".join(found)


def _legend(family: str) -> str:
    return f"facepipe, {family}" if family in KINDS else family


def _table(figures: Figures) -> str:
    """Return two tables: distortion, and correlations with speeds."""
    measured = [name for name in MEASURES if any(name in one.means for one in figures.settings)]
    speeds = [name for name in measured if "_fps" in name]
    head = "".join(f"<th class=n>{escape(MEASURES[name].title)}" for name in measured if name not in speeds)
    more = "".join(f"<th class=n>correlation of {name}" for name in SIGNALS)
    more += "".join(f"<th class=n>{escape(MEASURES[name].title)}" for name in speeds)
    first, second = "", ""
    for one in ordered(figures):
        name = f"<tr><td class=setting>{escape(one.about)}</td>"
        cells = "".join(_cell(value_text(each, one.means.get(each))) for each in measured if each not in speeds)
        first += f"{name}{cells}</tr>"
        cells = "".join(_cell(correlation_text(one.correlations, each)) for each in SIGNALS)
        second += f"{name}{cells}{''.join(_cell(value_text(each, one.means.get(each))) for each in speeds)}</tr>"
    return (
        f"<table><tr><th>setting{head}</tr>{first}</table>"
        f"<h2>Correlations and speeds</h2><table><tr><th>setting{more}</tr>{second}</table>"
    )


def _cell(text: str) -> str:
    return f"<td class=n>{text}</td>"


def ordered(figures: Figures) -> list[SettingFigures]:
    """Return the settings codec by codec, each with the lowest rate first."""
    families = dict.fromkeys(one.family for one in figures.settings)
    return [one for family in families for one in figures.family(family)]


def correlation_text(correlations: Mapping[str, float], signal: str) -> str:
    """Return a correlation as text; a dash if it was not measured."""
    value = correlations.get(signal, float("nan"))
    return "–" if value != value else f"{value:.3f}"


def _stills(figures: Figures, sheets: Path) -> str:
    parts = []
    for clip in dict.fromkeys(one.clip for one in figures.results):
        picture = base64.b64encode((sheets / f"{clip}.jpg").read_bytes()).decode()
        parts.append(f'<h3>{escape(clip)}</h3><img alt="{escape(clip)}" src="data:image/jpeg;base64,{picture}">')
    return "".join(parts)
