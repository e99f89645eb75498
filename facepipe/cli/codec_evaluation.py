"""`facepipe evaluate --task codec`: rates and distortion of the codec beside classical ones, as tables."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from facepipe.errors import FailedItemsError

if TYPE_CHECKING:
    from facepipe.evaluate.codec.figures import Figures

SHOWN = (
    "rate",
    "rate_without_key",
    "landmarks",
    "lost",
    "psnr",
    "ssim",
    "feature_distance",
    "sharpness",
    "encode_fps",
    "decode_fps",
)
HEADS = ("kbit/s", "w/o key", "landm. %", "lost %", "PSNR", "SSIM", "feat.", "sharp", "enc. f/s", "dec. f/s")


def evaluate_codec(
    manifest: Path,
    out: Path | None,
    *,
    teacher: Path | None,
    overwrite: bool,
    as_json: bool,
    report_line: Callable[[str], None],
) -> None:
    """Code the clips by facepipe and by the anchors, print metrics and figures, and write the report.

    Raises FailedItemsError at the end if some clips could not be coded.
    """
    from facepipe.device import set_threads
    from facepipe.evaluate.codec.anchors import usable_anchors
    from facepipe.evaluate.codec.clips import choose
    from facepipe.evaluate.codec.own import own_coders
    from facepipe.evaluate.codec.run import evaluate
    from facepipe.evaluate.report import PAGE, SUMMARY
    from facepipe.evaluate.run import check_out

    cases = choose(manifest)
    out = out or Path(f"{manifest.absolute().stem}--codec")
    check_out(out, overwrite=overwrite)
    set_threads()
    outcome = evaluate(
        cases, [*own_coders(), *usable_anchors(report_line)], out, teacher=teacher, report_line=report_line
    )
    if as_json:
        typer.echo((out / SUMMARY).read_text(encoding="utf-8").rstrip())
    else:
        print_figures(outcome.figures)
        typer.echo(os.fsencode(out / PAGE))
    if outcome.failures:
        raise FailedItemsError(outcome.failures)


def print_figures(figures: Figures) -> None:
    """Print the metrics of each codec that has thresholds, and the means of all settings."""
    from rich.console import Console
    from rich.table import Table

    from facepipe.coding.models import KINDS
    from facepipe.evaluate.codec.measures import value_text
    from facepipe.evaluate.codec.metrics import metrics_of, pixel_remark, tested_setting
    from facepipe.evaluate.codec.page import ordered

    console = Console(width=None if sys.stdout.isatty() else 160)
    for family in KINDS:
        if figures.family(family):
            title = tested_setting(figures.family(family)).about
            table = Table(title, "measured", "threshold", "", box=None, pad_edge=False)
            for one in metrics_of(figures, family):
                table.add_row(one.name, one.measured, one.threshold, "met" if one.met else "not met")
            console.print(table)
            console.print(pixel_remark(figures, family))
            console.print()
    means = Table("mean over clips", *HEADS, box=None, pad_edge=False)
    for setting in ordered(figures):
        means.add_row(setting.about, *(value_text(name, setting.means.get(name)) for name in SHOWN))
    console.print(means)
