"""The report of a batch: a self-contained HTML page with plots, stills and a table."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from string import Template

from facepipe.batch.overview import Failure, Overview, Success
from facepipe.batch.plots import bars, histogram, progress_plot
from facepipe.engine.item_log import DONE
from facepipe.engine.page_text import escape
from facepipe.engine.progress import duration_text, rate_text, size_text
from facepipe.errors import FacepipeError
from facepipe.media.files import draft_of, make_parent
from facepipe.media.still import still_of

MARK = "facepipe-report"
MAX_ROWS = 5000
"""Maximum number of rows of finished items; for failed items it is ten times as large."""
TEMPLATE = Path(__file__).with_name("page.html")
Read = Callable[..., Overview]


def write_report(work: Path, out: Path, *, stills: int, read: Read) -> None:
    """Write the report of the batch in a work folder, atomically. Raises DiskError."""
    done: list[Success] = []
    overview = read(work, successes=done)
    latest = list({one.id: one for one in done if one.id not in overview.failures}.values())
    failed = sorted(overview.failures.values(), key=lambda one: (one.kind, one.label))
    generator = random.Random(0)  # fixed seed: the same items for each report
    displayed = generator.sample(latest, min(stills, len(latest)))
    base = Path(overview.folder or ".")
    text = Template(TEMPLATE.read_text("utf-8")).substitute(
        title=escape(f"batch in {work}"),
        lead=escape(_lead(overview)),
        cards="".join(_card(*card) for card in _cards(overview)),
        plots="".join(_plot(*plot) for plot in _plots(overview, latest)),
        good="".join(_figure(_still([base / one.out]), one.label) for one in displayed) or "none",
        bad="".join(_figure(_still(_inputs(base, one)), f"{one.kind}: {one.label}") for one in failed[:stills])
        or "none",
        kinds="".join(f"<option>{escape(kind)}</option>" for kind in sorted(overview.failure_classes)),
        rows="".join([*map(_failed_row, failed[: 10 * MAX_ROWS]), *map(_done_row, latest[:MAX_ROWS])]),
        cut=_cut(len(latest), len(failed)),
    )
    make_parent(out)
    with draft_of(out) as draft:
        draft.write_text(text, "utf-8")


def _lead(overview: Overview) -> str:
    lists = "; ".join(f"{name} ({run.get('items')} items)" for name, run in overview.lists.items())
    left = f"; about {duration_text(overview.seconds_left)} left" if overview.seconds_left is not None else ""
    dropped = overview.dropped_from_lists
    apart = f"; not counted: {dropped} items that are in no list any more" if dropped else ""
    return f"{lists or 'no list'}{left}{apart}"


def _cards(overview: Overview) -> Iterable[tuple[str, str, bool]]:
    rate = overview.items_per_second
    rate_name = "rate" if overview.workers else "rate of the last run"
    yield "items", f"{overview.total:,}", False
    yield "done", f"{overview.done:,}", False
    yield "failed", f"{overview.failed:,}", overview.failed > 0
    yield "running, waiting", f"{overview.running:,}, {overview.waiting:,}", False
    yield rate_name, rate_text(rate) if rate else "not known", False
    yield "frames", f"{overview.frames:,}", False
    yield "frames without a face", f"{overview.lost:,}", False
    yield (
        "results",
        size_text(overview.bytes),
        False,
    )


def _card(name: str, value: str, bad: bool) -> str:
    kind = "bad" if bad else "good"
    content = f'<b class="{kind}">{escape(value)}</b><span class="soft">{escape(name)}</span>'
    return f'<div class="card">{content}</div>'


def _plots(overview: Overview, done: Sequence[Success]) -> Iterable[tuple[str, str]]:
    seconds = {name: stage.seconds.sum for name, stage in overview.stages.items()}
    yield "Ended items over time (green: done, red: failed)", progress_plot(overview.ends, DONE)
    yield "Seconds per item", histogram([one.seconds for one in done], "s")
    yield "Seconds by stage", bars(seconds, "s")
    yield "Failures by class", bars(dict(overview.failure_classes), "", "bad")
    yield "Items by note", bars(dict(overview.remark_codes), "")


def _plot(title: str, svg: str) -> str:
    return f'<div class="card"><h2>{escape(title)}</h2>{svg}</div>'


def _inputs(base: Path, one: Failure) -> list[Path]:
    """Return the input files of a failed item, first those that the message mentions."""
    names = list(one.item.inputs.values()) if one.item else []
    return [base / name for name in sorted(names, key=lambda name: name not in one.message)]


def _still(paths: Iterable[Path]) -> bytes:
    """Return a still of the first readable file as JPEG; empty if there is none."""
    for path in paths:
        with suppress(FacepipeError, OSError, StopIteration):
            return still_of(path)
    return b""


def _figure(still: bytes, label: str) -> str:
    image = '<div class="none">no picture</div>'
    if still:
        image = f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(still).decode("ascii")}">'
    return f"<figure>{image}<figcaption>{escape(label)}</figcaption></figure>"


def _failed_row(one: Failure) -> str:
    detail = f"<details><summary>more</summary>{escape(one.detail)}</details>" if one.detail else ""
    tries = f" ({one.attempts} tries)" if one.attempts > 1 else ""
    cells = [
        "failed", one.kind, one.label, one.stage, f"{one.seconds:.2f}", "", "", f"{one.message}{tries}",
    ]  # fmt: skip
    return _row("failed", one.kind, cells, _remarks(one) + detail)


def _remarks(one: Success | Failure) -> str:
    return "".join(f'<div class="soft">note: {escape(remark.text)}</div>' for remark in one.remarks)


def _done_row(one: Success) -> str:
    cells = ["done", "", one.label, "", f"{one.seconds:.2f}", str(one.frames), str(one.lost), one.out]
    return _row("done", "", cells, _remarks(one))


def _row(state: str, kind: str, cells: Sequence[str], detail: str = "") -> str:
    kinds = {0: "word", 1: "word", 3: "word", 4: "number", 5: "number", 6: "number"}
    parts = [f'<td class="{kinds.get(place, "")}">{escape(cell)}' for place, cell in enumerate(cells)]
    return f'<tr class="{state}" data-state="{state}" data-kind="{escape(kind)}">{"".join(parts)}{detail}</tr>'


def _cut(done: int, failed: int) -> str:
    if done <= MAX_ROWS and failed <= 10 * MAX_ROWS:
        return ""
    return f" (the first {MAX_ROWS:,} of {done:,} done items, the first {10 * MAX_ROWS:,} of {failed:,} failed items)"
