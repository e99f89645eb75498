"""Rates and remaining times are computed from the runs of this job."""

import pytest

from facepipe.engine.events import Done, Expected, Failed, Progress, Skipped, Start
from facepipe.engine.tally import StageTally, Tally, duration_text, line_of, printable

ABOUT = {"stage": "render", "label": "render"}


def test_skipped_frames_do_not_raise_the_rate() -> None:
    tally = StageTally("render")
    tally.count(Expected(stage="render", frames=100), 0.0)
    tally.count(Skipped(stage="render", label="a", reason="done", fingerprint=None, frames=50), 0.0)
    tally.count(Start(stage="render", label="b", reason="new", fingerprint=None, frames=50), 0.0)
    tally.count(Progress(stage="render", label="b", frames_done=10, frames=50), 1.0)
    assert tally.text(1.0) == "60/100 frames, 10.0 frames/s, 4.0 s left"
    tally.count(Done(stage="render", label="b", fingerprint=None, seconds=5.0, frames_done=50, folder=""), 5.0)
    assert tally.text(100.0) == "100/100 frames, 10.0 frames/s, 0.0 s left"


def test_unannounced_runs_count_their_own_frames() -> None:
    tally = StageTally("crop")
    tally.count(Skipped(stage="crop", label="a", reason="done", fingerprint=None, frames=50), 0.0)
    tally.count(Start(stage="crop", label="b", reason="new", fingerprint=None, frames=7), 0.0)
    assert tally.text(0.0) == "50/57 frames"
    tally.count(Start(stage="crop", label="c", reason="new", fingerprint=None, frames=None), 0.0)
    assert tally.text(0.0) == "50 frames"


def test_only_the_first_of_many_similar_events_is_news() -> None:
    tally = Tally()

    def skipped(label: str, reason: str = "done") -> Skipped:
        return Skipped(stage="render", label=label, reason=reason, fingerprint=None, frames=None)

    assert [tally.is_news(e) for e in (skipped("0"), skipped("1"), skipped("2", "new"))] == [True, False, True]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.0 s"),
        (2.54, "2.5 s"),
        (48.2, "48 s"),
        (99.6, "1:40 min"),
        (185, "3:05 min"),
        (3599.9, "1:00 h"),
        (7800, "2:10 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_control_characters_in_names_are_escaped() -> None:
    assert printable("a\nb\x1b[31m\udcff é一") == "a\\nb\\x1b[31m\\udcff é一"
    failed = Failed(stage="s", label="x\r", failure_class="input", permanent=True, message="one\ntwo", detail="")
    assert line_of(failed) == "failed x\\r: one; two"
