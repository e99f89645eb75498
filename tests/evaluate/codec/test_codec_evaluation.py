"""The codec's evaluation on a synthetic clip, by anchors and a made-up codec."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from facepipe.errors import FailedItemsError, InputError
from facepipe.evaluate.codec.anchors import Anchor
from facepipe.evaluate.codec.clips import FPS, FRAMES, CodecClip, cut, evenly
from facepipe.evaluate.codec.coding import Coded, Coder, Effort
from facepipe.evaluate.codec.run import evaluate
from facepipe.evaluate.codec.scores import rate_scores
from facepipe.evaluate.manifest import Case
from facepipe.evaluate.pixels import psnr
from facepipe.evaluate.tracked_clip import FaceTracker
from facepipe.media.elementary import missing_encoder
from facepipe.media.encode import VideoWriter

TIME = Effort(0.5, 0.8)


@dataclass
class Repeating:
    """Sends the first frame, and one byte for each other frame."""

    name: str = "coefficients-0"
    family: str = "coefficients"
    about: str = "made up"
    identity: str = "1"
    coded: list[str] = field(default_factory=list)

    def code(self, clip: CodecClip) -> Coded:
        self.coded.append(clip.name)
        frames = np.repeat(clip.frames[:1], len(clip.frames), axis=0)
        tokens = np.arange(len(frames), dtype=np.int64)[:, None] % 4
        return Coded(400 + len(frames), 400, frames, TIME, TIME, tokens, len(frames) // 4, scale=2)


def write_clip(path: Path, count: int = 20) -> Path:
    random = np.random.default_rng(3)
    texture = random.integers(0, 255, (32, 32, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, size=(256, 256), fps=FPS, quality=95) as writer:
        for number in range(count):
            writer.write(np.roll(texture, 2 * number, axis=1))
    return path


@pytest.fixture
def clip(tmp_path: Path) -> CodecClip:
    return CodecClip("moving", write_clip(tmp_path / "out" / "clips" / "moving.mp4"))


def run(tmp_path: Path, *coders: Coder) -> Path:
    evaluate([Case("moving", tmp_path / "moving.mp4")], coders, tmp_path / "out")
    return tmp_path / "out"


def test_an_anchor_at_half_rate_shows_each_frame_twice(clip: CodecClip) -> None:
    coded = Anchor("x264", 39, 128, 2).code(clip)
    assert coded.frames.shape == clip.frames.shape
    assert np.array_equal(coded.frames[0::2], coded.frames[1::2])
    assert not np.array_equal(coded.frames[1], coded.frames[2])


def test_rates_count_all_bytes(clip: CodecClip) -> None:
    scores = rate_scores(Repeating().code(clip), clip)
    seconds = 20 / 25
    assert scores["rate"] == pytest.approx(420 * 8 / 1000 / seconds)
    assert scores["rate_without_key"] == pytest.approx(20 * 8 / 1000 / seconds)
    assert scores["encode_fps"] == pytest.approx(20 / 0.5)
    assert scores["decode_fps_per_cpu"] == pytest.approx(20 / 0.8)


def test_a_report_of_a_clip_without_faces(tmp_path: Path, clip: CodecClip) -> None:
    out = run(tmp_path, Repeating(), Anchor("x264", 45))
    rows = {row["setting"]: row for row in csv.DictReader((out / "clips.csv").read_text().splitlines())}
    assert set(rows) == {"coefficients-0", "x264-45-256-25"}
    # A slow and obvious PSNR: the original against its own first frame.
    slow = np.mean([psnr(clip.frames[0], frame) for frame in clip.frames])
    assert float(rows["coefficients-0"]["psnr"]) == pytest.approx(slow, rel=1e-4)
    assert rows["coefficients-0"]["landmarks"] == ""
    assert float(rows["coefficients-0"]["lost"]) == 0
    summary = json.loads((out / "summary.json").read_text())
    tested = summary["tested"]["coefficients"]
    assert tested["setting"] == "coefficients-0"
    assert "lower" in tested["remark"]
    # 20 tokens of four equal values are 40 bits; 5 bytes hold them.
    assert summary["settings"]["coefficients-0"]["coded_over_entropy"] == pytest.approx(1.0)
    page = (out / "report.html").read_text()
    assert "<script" not in page
    assert 'src="data:image/jpeg' in page


def test_finished_codings_are_kept_until_something_changes(tmp_path: Path, clip: CodecClip) -> None:
    codec = Repeating()
    run(tmp_path, codec)
    run(tmp_path, codec)
    assert codec.coded == [clip.name]
    other = replace(codec, identity="2")
    out = run(tmp_path, other)
    assert other.coded == [clip.name, clip.name]
    (out / "decoded" / "clips" / "moving--coefficients-0.json").write_text("{ cut off")
    run(tmp_path, other)
    assert len(other.coded) == 3


def test_a_clip_that_is_too_short_is_named(tmp_path: Path) -> None:
    short = write_clip(tmp_path / "short.mp4", FRAMES - 1)
    with pytest.raises(InputError, match=r"short\.mp4: is shorter than the 4 s"):
        cut(Case("short", short), tmp_path / "clips", FaceTracker())
    with pytest.raises(FailedItemsError):
        evaluate([Case("short", short)], [Repeating()], tmp_path / "out")


def test_cases_are_chosen_evenly() -> None:
    cases = [Case(str(number), Path("x")) for number in range(30)]
    names = [int(case.name) for case in evenly(cases, 15)]
    assert len(set(names)) == 15
    assert (names[0], names[-1]) == (0, 29)
    assert set(np.diff(names)) <= {2, 3}
    assert evenly(cases[:3], 15) == cases[:3]


def test_the_lowest_rates_are_ordered(clip: CodecClip) -> None:
    if missing_encoder("av1"):
        pytest.skip("this ffmpeg has no libsvtav1")
    full, fewer = (Anchor("av1", 63, size, step).code(clip) for size, step in ((256, 1), (128, 2)))
    assert fewer.stream_bytes < full.stream_bytes
    assert 0 < fewer.key_bytes < fewer.stream_bytes
