"""Runs: one still for each shot, splits, and the correction by what the encoder draws."""

import numpy as np
import pytest

from facepipe.codec import TokenCodec, plain_table
from facepipe.coding import run as runs
from facepipe.coding.plan import Budget, Plan
from facepipe.coding.run import CodedRun, RunCoder, mismatch
from facepipe.media.stills_codec import decode_still
from tests.coding.fakes import SIDE, FakeReader, view_of

TABLE = plain_table("coefficients", 2)


def _coded(reader: FakeReader, levels: list[float], *, corrects: bool, **view: object) -> list[CodedRun]:
    coder = RunCoder(reader, TABLE, Budget(20_000.0), corrects, Plan(0, 1))  # type: ignore[arg-type]
    return list(coder.code(view_of(levels, **view)))  # type: ignore[arg-type]


def _decoded(run: CodedRun, reader: FakeReader) -> list[float]:
    """Return the levels that a decoder draws."""
    portrait = reader.open(decode_still(run.still, SIDE))
    assert portrait is not None
    codec = TokenCodec(TABLE, 0)
    reference = codec.read_reference(run.reference)
    tokens = [portrait.own + codec.difference(packet, reference) for packet in run.packets if packet]
    return [float(picture.mean()) for picture in portrait.draw(np.stack(tokens))]


def test_the_correction_makes_up_for_what_the_renderer_does_not_draw() -> None:
    levels = [100 + 4 * np.sin(number / 6) for number in range(40)]
    true = np.array([float(np.uint8(level)) for level in levels])
    errors = []
    for corrects in (False, True):
        reader = FakeReader(gain=0.5)
        (run,) = _coded(reader, levels, corrects=corrects)
        errors.append(float(np.abs(np.array(_decoded(run, reader)) - true).mean()))
    assert errors[1] < 0.6 * errors[0]


def test_every_shot_has_its_own_still() -> None:
    first, second = _coded(FakeReader(), [80.0] * 6 + [160.0] * 9, corrects=False, shot=[0] * 6 + [1] * 9)
    assert [len(first.packets), len(second.packets)] == [6, 9]
    assert abs(float(decode_still(second.still, SIDE).mean()) - 160) < 4


def test_a_run_without_a_face_stands_still() -> None:
    (run,) = _coded(FakeReader(), [0.0] * 7, corrects=True, valid=[False] * 7)
    assert run.reference == b""
    assert not any(run.packets)
    assert len(run.packets) == 7


def test_a_single_frame_is_a_run() -> None:
    (run,) = _coded(FakeReader(), [90.0], corrects=True)
    assert len(run.packets) == 1
    assert run.packets[0]


def test_a_poor_prediction_splits_a_run_where_its_halves_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    levels = [60.0] * 40 + [200.0] * 60
    # A portrait that draws the same picture whatever moves.
    whole = RunCoder(FakeReader(gain=0.0), TABLE, Budget(20_000.0), False, Plan(0, 1))  # type: ignore[arg-type]
    split = list(whole.code(view_of(levels)))
    assert [len(run.packets) for run in split] == [40, 60]
    monkeypatch.setattr(runs, "POOR_LEVELS", 1000.0)
    assert len(list(whole.code(view_of(levels)))) == 1


def test_the_still_is_the_frame_that_is_most_like_the_others() -> None:
    view = view_of([50.0, 120.0, 121.0, 119.0, 200.0])
    assert runs._middle_frame(view) in (1, 2, 3)


def test_mismatch_counts_the_face_only() -> None:
    true = np.full((SIDE, SIDE, 3), 100, np.uint8)
    drawn = true.copy()
    drawn[:4] = 255
    points = np.random.default_rng(0).uniform(10, 20, (478, 3))
    assert mismatch(drawn, true, points) == 0
    assert abs(mismatch(true + np.uint8(10), true, points) - 10) < 1e-3
