"""Each sink writes the right text to the right stream, and nothing that breaks a terminal or a log."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from facepipe.console import JsonLines, PlainLines, Terminal, open_sink
from facepipe.engine.events import Event, Failed, Progress, Skipped, Start
from tests.engine.repetition import run_all

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


class Tty(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def event(kind: type[Any], **content: Any) -> Event:
    made: Event = kind(stage="render", label="render 1", **content)
    return made


START = {"reason": "new", "fingerprint": None, "frames": 100}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_a_log_has_news_and_progress_every_five_seconds(clock: list[float]) -> None:
    stream = io.StringIO()
    sink = PlainLines(stream)
    sink(event(Start, **START))
    for frame in range(1, 101):
        clock[0] += 0.2
        sink(event(Progress, frames_done=frame, frames=100))
    lines = stream.getvalue().splitlines()
    assert lines[0] == "make render 1 (new)"
    assert lines[1] == "render: 25/100 frames, 5.0 frames/s, 15 s left"
    assert len(lines) in (4, 5)


def test_a_log_has_one_line_for_many_equal_segments() -> None:
    stream = io.StringIO()
    sink = PlainLines(stream)
    for _ in range(1000):
        sink(event(Skipped, **{**START, "reason": "done"}))
    assert stream.getvalue() == "kept render 1 (done)\n"


def test_control_characters_are_escaped_in_a_log(tmp_path: Path) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    sink = PlainLines(stream)
    sink(Failed(stage="s", label="a\x1b]0;x\x07é\r", failure_class="input", permanent=True, message="no\n", detail=""))
    stream.seek(0)
    text = stream.read()
    assert text == "failed a\\x1b]0;x\\x07\\xe9\\r: no\n"


def test_json_is_one_object_per_line_on_stdout_with_the_summary_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.txt").write_text("x")
    with open_sink(as_json=True) as sink:
        run_all(tmp_path / "work", tmp_path / "text.txt", sink=sink)
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert err == ""
    assert {line["schema"] for line in lines} == {1}
    assert lines[-1]["event"] == "summary"


def test_json_progress_is_limited_to_one_event_per_second(clock: list[float]) -> None:
    stream = io.StringIO()
    sink = JsonLines(stream)
    for frame in range(1, 101):
        clock[0] += 0.11
        sink(event(Progress, frames_done=frame, frames=100))
    assert 9 <= len(stream.getvalue().splitlines()) <= 11


def test_plain_lines_are_written_to_stderr_without_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.txt").write_text("x")
    for _ in range(2):
        with open_sink() as sink:
            run_all(tmp_path / "work", tmp_path / "text.txt", sink=sink)
    out, err = capsys.readouterr()
    assert out == ""
    assert not CONTROL.search(err)
    assert "kept piece 0 (done)" in err
    assert err.splitlines()[-1].startswith("made 0, kept 3 in ")


def test_quiet_writes_failures_only(tmp_path: Path) -> None:
    stream = io.StringIO()
    with open_sink(quiet=True, stream=stream) as sink:
        sink(event(Start, **START))
        sink(event(Failed, failure_class="input", permanent=True, message="is empty", detail=""))
    assert stream.getvalue() == "failed render 1: is empty\n"


def test_a_terminal_displays_rate_and_remaining_time_and_is_restored(tmp_path: Path) -> None:
    stream = Tty()
    (tmp_path / "text.txt").write_text("x")
    terminal = Terminal(Console(file=stream, force_terminal=True, width=100))
    with terminal as sink:
        run_all(tmp_path / "work", tmp_path / "text.txt", times=30, pieces=2, seconds=0.02, sink=sink)
    text = stream.getvalue()
    assert re.search(r"/60 frames, \d+\.\d frames/s, \d", text)
    assert "made 3, kept 0" in text
    assert text.count("\x1b[?25h") == text.count("\x1b[?25l") == 1  # the cursor is visible again


def test_markup_in_a_name_is_not_interpreted() -> None:
    stream = Tty()
    with Terminal(Console(file=stream, force_terminal=True, width=100)) as sink:
        sink(Start(stage="s", label="[red]x[/nope]", **START))  # type: ignore[arg-type]
        sink(Skipped(stage="s", label="[red]x[/nope]", **START))  # type: ignore[arg-type]
    assert "kept [red]x[/nope] (new)" in stream.getvalue()


def test_a_terminal_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_sink(stream=Tty()) as sink:
        assert isinstance(sink, Terminal)
    with open_sink(stream=io.StringIO()) as sink:
        assert isinstance(sink, PlainLines)
