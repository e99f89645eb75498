"""What a folder tells of its batches: counts, failures, figures, the page."""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from facepipe.batch.moments import Moments
from facepipe.batch.overview_reader import read_overview
from facepipe.batch.report import write_report
from facepipe.engine import clean
from facepipe.engine.batch_paths import BatchPaths
from facepipe.engine.claim import Claims
from facepipe.errors import BusyError
from facepipe.media.image import write_image
from tests.batch.conftest import Bench

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
FLAGS += ["--virtual-time-budget=4000"]


def made(bench: Bench) -> Bench:
    """A batch of four good items and a bad one."""
    bench.write(a="one", b="two", c="three", d="four", e="bad <b>text</b>")
    bench.run([{"source": f"{name}.txt"} for name in "abcde"], workers=1)
    return bench


def test_moments_merge_to_those_of_the_whole() -> None:
    values = [1.0, 2.5, -3.0, 8.0, 8.0]
    parts: list[Moments] = []
    for chosen in (values[:2], values[2:], []):
        parts.append(Moments())
        for value in chosen:
            parts[-1].add(value)
    whole = Moments()
    for part in parts:
        whole.merge(part)
    assert (whole.count, whole.minimum, whole.maximum) == (5, -3.0, 8.0)
    assert whole.mean == pytest.approx(statistics.fmean(values))
    assert whole.std == pytest.approx(statistics.pstdev(values))


def test_the_folder_alone_tells_how_it_stands(bench: Bench) -> None:
    overview = read_overview(made(bench).work)
    assert (overview.total, overview.done, overview.failed, overview.waiting, overview.running) == (5, 4, 1, 0, 0)
    assert dict(overview.failure_classes) == {"input": 1}
    [failure] = overview.failures.values()
    assert (failure.stage, failure.attempts, failure.detail) == ("turn", 1, "tail of a child's stderr")
    assert failure.item is not None
    assert failure.item.inputs == {"source": "e.txt"}
    assert (overview.stages["turn"].made, overview.stages["turn"].seconds.count) == (4, 4)
    assert overview.lists["texts"]["items"] == 5


def test_a_batch_that_was_killed_is_told_as_interrupted(bench: Bench) -> None:
    bench.write(a="one")
    run = bench.prepare([{"source": "a.txt"}])
    [decision] = run.planner.decisions()
    run.log.append(decision.item.id, {"number": 1, "state": "begun", "key": decision.key, "run": "gone"})
    overview = read_overview(bench.work)
    assert (overview.interrupted, overview.running, overview.waiting) == (1, 0, 1)
    assert [one.reason for one in bench.prepare([{"source": "a.txt"}]).planner.decisions()] == ["interrupted"]


def test_clean_takes_what_no_item_uses_and_nothing_live(bench: Bench) -> None:
    made(bench)
    work = bench.work
    assert clean(work, unreferenced=True).paths == ()
    bench.write(a="another")
    bench.run([{"source": f"{name}.txt"} for name in "abcde"], workers=1)
    assert [path.parent.parent.name for path in clean(work, unreferenced=True).paths] == ["turn"]
    assert len(clean(work, older_than_seconds=3600.0).paths) == 0
    other = Claims(BatchPaths(work).claims)
    other.take("abcd")
    with pytest.raises(BusyError, match="holds a claim"):
        clean(work, everything=True)
    other.release("abcd")
    assert len(clean(work, older_than_seconds=0.0).paths) == 4
    clean(work, everything=True)
    assert not BatchPaths(work).folder.exists()
    assert len(bench.outputs()) == 4


@pytest.mark.parametrize(("keep", "left"), [("all", 3), ("results", 3), ("none", 0)])
def test_what_outlives_an_item_is_as_it_was_asked(bench: Bench, keep: str, left: int) -> None:
    bench.write(a="one", b="two", c="three")
    rows = [{"source": f"{name}.txt"} for name in "abc"]
    run = bench.prepare(rows, keep=keep)  # type: ignore[arg-type]
    settled = run.lead(run.check())
    run.tidy(settled)
    assert len(list(bench.work.glob("turn/*/*"))) == left
    assert len(bench.outputs()) == 3
    assert bench.prepare(rows).check().wanted == 0


def page(bench: Bench) -> Path:
    bench.write(a="one", e="bad <b>text</b>")
    rows = [{"source": "a.txt", "output": "out/a.png"}, {"source": "e.txt"}]
    bench.run(rows, workers=1)
    write_image(bench.folder / "out" / "a.png", np.full((40, 30, 3), 200, np.uint8))
    out = bench.folder / "report.html"
    write_report(bench.work, out, stills=4, read=read_overview)
    return out


def test_the_page_needs_nothing_else(bench: Bench) -> None:
    text = page(bench).read_text()
    assert not re.search(r"(src|href)=\"(?!data:)", text)
    assert "http" not in text
    assert text.count("data:image/jpeg;base64,") == 1
    assert text.count("<svg") >= 2
    assert "<b>text</b>" not in text
    assert "$" not in text.partition("<script>")[0]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here to open the page with")
@pytest.mark.parametrize(
    ("filled", "shown"), [({}, "2 of 2 rows"), ({"filter": "bad"}, "1 of 2 rows"), ({"state": "done"}, "1 of 2 rows")]
)
def test_a_browser_shows_the_page_and_its_filter_works(bench: Bench, filled: dict[str, str], shown: str) -> None:
    out = page(bench)
    script = "".join(
        f'document.querySelector("#{name}").value = "{value}"; '
        f'document.querySelector("#{name}").dispatchEvent(new Event("input"));'
        for name, value in filled.items()
    )
    probe = "window.onerror = e => document.title = 'broken ' + e;"
    text = out.read_text().replace("<script>", f"<script>{probe}</script><script>", 1)
    out.write_text(text.replace("</body>", f"<script>{script}</script></body>"))
    found = dump(["--dump-dom", out.as_uri()])
    assert re.search(r'<span id="displayed">([^<]*)</span>', found).group(1) == shown  # type: ignore[union-attr]
    assert "<title>broken" not in found
    hidden = len(re.findall(r"<tr [^>]*hidden", found))
    assert hidden == (0 if not filled else 1)


def dump(words: Sequence[str]) -> str:
    assert CHROMIUM
    with tempfile.TemporaryDirectory() as profile:
        command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
