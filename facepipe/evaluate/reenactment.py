"""How faithfully a renderer repeats a clip from its first frame, on people that no training saw.

    python -m facepipe.evaluate.reenactment --data DATA --teacher TEACHER/bin/python --out OUT

The same as `facepipe evaluate DATA --task same --teacher TEACHER/bin/python --frames 100`, of which it prints the part
that the first renderer was held against: at most 100 frames of each clip's first 400, and the bars of those days. OUT
receives the whole report all the same.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from facepipe.device import set_threads
from facepipe.evaluate.manifest import read_cases
from facepipe.evaluate.run import Outcome, evaluate
from facepipe.evaluate.scene import UNMOVED, Setting
from facepipe.renderers import RENDERERS

MOST_FRAMES, LONGEST = 100, 400
BARS = {"yaw": 0.95, "pitch": 0.95, "roll": 0.95, "mouth opening": 0.85, "eye opening": 0.6}


def rows_of(outcome: Outcome) -> Iterator[tuple[str, str, str, str]]:
    """Yield the rows of the table."""
    for name, (pooled, each) in outcome.figures.correlations["teacher"].items():
        yield (
            f"correlation of {name} (mean over clips {each:.3f})",
            f"{pooled:.3f}",
            f">= {BARS[name]}",
            "yes" if pooled >= BARS[name] else "no",
        )
    psnr, unmoved = (np.array([one.scores[name]["psnr"] for one in outcome.cases]) for name in ("result", UNMOVED))
    yield (
        "PSNR, dB, against the unmoved source's",
        f"{psnr.mean():.2f}",
        f">= {unmoved.mean():.2f}",
        "yes" if psnr.mean() >= unmoved.mean() else "no",
    )
    yield "clips on which it is above the unmoved source, %", f"{100 * np.mean(psnr >= unmoved):.0f}", "", ""
    yield "frames in which the teacher finds a face, %", f"{100 * outcome.seen_by_teacher:.1f}", "", ""


def main() -> None:
    """Render, judge and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "teacher", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--renderer", default="mesh", choices=sorted(RENDERERS))
    parser.add_argument("--size", type=int, default=256)
    options = parser.parse_args()
    set_threads()
    setting = Setting("same", options.renderer, size=options.size, most=MOST_FRAMES, longest=LONGEST)
    outcome = evaluate(
        read_cases(options.data, "same"),
        setting,
        options.out,
        teacher=options.teacher,
        tell=lambda line: print(line, flush=True),
    )
    table = Table(
        "figure",
        "measured",
        "bar",
        "met",
        title=f"{options.renderer} at {options.size} pixels: {len(outcome.cases)} clips of unseen people from their "
        "first frame",
    )
    for row in rows_of(outcome):
        table.add_row(*row)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
