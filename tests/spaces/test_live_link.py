"""Takes of Live Link Face: columns, time codes, round trips and refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from facepipe.avatar.units import UNITS
from facepipe.errors import InputError
from facepipe.spaces.arkit52.coefficients import UnitCoefficients, resting
from facepipe.spaces.arkit52.live_link import ANGLES, COLUMNS, HEADER, Take, read_take, write_take
from facepipe.spaces.arkit52.timecode import read_timecodes, write_timecode

# The first and the last columns as the app's own files have them.
BEGINNING = (
    "Timecode,BlendShapeCount,EyeBlinkLeft,EyeLookDownLeft,EyeLookInLeft,EyeLookOutLeft,EyeLookUpLeft,EyeSquintLeft,"
    "EyeWideLeft,EyeBlinkRight,EyeLookDownRight,EyeLookInRight,EyeLookOutRight,EyeLookUpRight,EyeSquintRight,"
    "EyeWideRight,JawForward,JawRight,JawLeft,JawOpen,MouthClose,MouthFunnel,MouthPucker,MouthRight,MouthLeft,"
    "MouthSmileLeft,MouthSmileRight,"
)
END = (
    ",NoseSneerLeft,NoseSneerRight,TongueOut,HeadYaw,HeadPitch,HeadRoll,LeftEyeYaw,LeftEyePitch,LeftEyeRoll,"
    "RightEyeYaw,RightEyePitch,RightEyeRoll"
)


def moving(count: int, fps: Fraction = Fraction(25)) -> UnitCoefficients:
    random = np.random.default_rng(count)
    return replace(
        resting(count, fps),
        weights=random.uniform(size=(count, len(UNITS))),
        gaze=random.uniform(-0.4, 0.4, (count, 2, 2)),
        angles=random.uniform(-0.5, 0.5, (count, 3)),
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "take.csv"


def written(path: Path, coefficients: UnitCoefficients) -> list[list[str]]:
    write_take(coefficients, path)
    return [line.split(",") for line in path.read_text("ascii").splitlines()]


def read_again(path: Path, rows: list[list[str]]) -> Take:
    path.write_text("\n".join(",".join(row) for row in rows), "utf-8")
    return read_take(path)


def test_the_header_is_that_of_the_app(path: Path) -> None:
    header, *rows = written(path, moving(3))
    assert ",".join(header).startswith(BEGINNING)
    assert ",".join(header).endswith(END)
    assert len(header) == 63
    assert sorted(header[2:54]) == sorted(name[0].upper() + name[1:] for name in UNITS)
    assert [(row[1], len(row)) for row in rows] == [("61", 63)] * 3
    assert [row[0] for row in rows] == ["00:00:00:00.000", "00:00:00:01.000", "00:00:00:02.000"]


def test_values_are_in_the_columns_of_their_names(path: Path) -> None:
    """Right is right, and angles have ARKit's senses: left of the subject, down, counter-clockwise for the viewer."""
    made = moving(1)
    header, row = written(path, made)
    cell = {name: float(value) for name, value in zip(header[2:], row[2:], strict=True)}
    for number, name in enumerate(UNITS):
        assert cell[name[0].upper() + name[1:]] == pytest.approx(made.weights[0, number], abs=1e-6)
    pitch, yaw, roll = made.angles[0]
    assert [cell[name] for name in ANGLES[:3]] == pytest.approx([-yaw, pitch, -roll], abs=1e-6)
    (left_yaw, left_pitch), (right_yaw, _) = made.gaze[0]
    assert [cell["LeftEyeYaw"], cell["LeftEyePitch"], cell["RightEyeYaw"]] == pytest.approx(
        [-left_yaw, left_pitch, -right_yaw], abs=1e-6
    )
    # The subject's left eye that looks out turns to the subject's left: a positive yaw.
    assert (cell["LeftEyeYaw"] > 0) == (cell["EyeLookOutLeft"] > 0)
    assert (cell["RightEyeYaw"] > 0) == (cell["EyeLookInRight"] > 0)
    assert (cell["LeftEyePitch"] > 0) == (cell["EyeLookDownLeft"] > 0)


@pytest.mark.parametrize("fps", ["24", "25", "30", "60", "30000/1001", "24000/1001", "50", "60000/1001"])
def test_a_take_is_read_as_it_was_written(path: Path, fps: str) -> None:
    made = moving(150, Fraction(fps))
    write_take(made, path)
    first = path.read_bytes()
    take = read_take(path)
    assert take.remarks == ()
    assert take.coefficients.fps == Fraction(fps)
    for name in ("weights", "gaze", "angles"):
        np.testing.assert_allclose(getattr(take.coefficients, name), getattr(made, name), atol=1e-5)
    write_take(take.coefficients, path)
    again = [line.split(b",")[0] for line in path.read_bytes().splitlines()]
    assert again == [line.split(b",")[0] for line in first.splitlines()]


def test_time_codes_carry_and_pass_midnight() -> None:
    assert write_timecode(59, Fraction(60)) == "00:00:00:59.000"
    assert write_timecode(60 * 3661 + 1, Fraction(60)) == "01:01:01:01.000"
    assert write_timecode(100, Fraction(30000, 1001)) == "00:00:03:10.100"
    assert write_timecode(29 * 86400 * 30, Fraction(30)) == "00:00:00:00.000"
    nights = [f"{time}:{frame:02}.000" for time in ("23:59:59", "00:00:00") for frame in range(30)]
    clock = read_timecodes(nights)
    assert (clock.fps, clock.even, clock.remarks) == (Fraction(30), True, ())
    np.testing.assert_allclose(np.diff(clock.seconds), 1 / 30)


def test_the_counter_of_a_short_take_is_guessed_and_said(path: Path) -> None:
    write_take(moving(10), path)
    take = read_take(path)
    assert take.coefficients.fps == Fraction(60)
    assert [remark.code for remark in take.remarks] == ["rate-guessed"]
    write_take(moving(1), path)
    assert read_take(path).remarks == ()


def test_the_apps_sixty_counts_at_thirty_rows(path: Path) -> None:
    """An app that counts 60 frames and records every other one."""
    header, *rows = written(path, moving(90, Fraction(60)))
    take = read_again(path, [header, *rows[::2]])
    assert (take.coefficients.fps, len(take.coefficients), take.remarks) == (Fraction(30), 45, ())


def test_columns_may_have_another_order_and_case(path: Path) -> None:
    made = moving(40)
    header, *rows = written(path, made)
    order = [0, 1, *np.random.default_rng(0).permutation(np.arange(2, 63))]
    lower = [header[place].lower() for place in order]
    take = read_again(path, [lower, *([row[place] for place in order] for row in rows)])
    np.testing.assert_allclose(take.coefficients.weights, made.weights, atol=1e-5)
    np.testing.assert_allclose(take.coefficients.angles, made.angles, atol=1e-5)


def test_angles_may_be_absent(path: Path) -> None:
    header, *rows = written(path, moving(40))
    take = read_again(path, [header[:54], *([row[0], "52", *row[2:54]] for row in rows)])
    assert not take.coefficients.angles.any()
    assert take.coefficients.gaze.any(), "the units that look say it"


def test_rows_without_a_face(path: Path) -> None:
    made = moving(60)
    header, *rows = written(path, made)
    rows[10] = [rows[10][0], "0"]
    rows[11] = [rows[11][0], "0", *[""] * 61]
    take = read_again(path, [header, *rows]).coefficients
    assert np.flatnonzero(~take.valid).tolist() == [10, 11]
    np.testing.assert_allclose(take.weights[12], made.weights[12], atol=1e-5)
    assert np.isfinite(take.weights).all()


def test_dropped_rows_are_interpolated_and_pauses_are_gaps(path: Path) -> None:
    """A ramp stays a ramp where rows lack, and half a second without rows shows no face."""
    ramp = np.zeros((100, len(UNITS)))
    ramp[:, UNITS.index("jawOpen")] = np.linspace(0, 0.99, 100)
    header, *rows = written(path, replace(resting(100), weights=ramp))
    kept = [row for number, row in enumerate(rows) if number not in (5, 6, 40) and not 60 <= number < 75]
    take = read_again(path, [header, *kept])
    assert [remark.code for remark in take.remarks] == ["uneven-times"]
    found = take.coefficients
    assert (found.fps, len(found)) == (Fraction(25), 100)
    np.testing.assert_allclose(found.weights, ramp, atol=1e-5)
    assert np.flatnonzero(~found.valid).tolist() == list(range(60, 75))


def test_weights_a_little_out_of_range_are_clipped_and_said(path: Path) -> None:
    header, *rows = written(path, moving(40))
    place = header.index("JawOpen")
    rows[3][place], rows[4][place] = "-0.02", "1.04"
    take = read_again(path, [header, *rows])
    assert [remark.code for remark in take.remarks] == ["clipped"]
    np.testing.assert_array_equal(take.coefficients.weights[3:5, UNITS.index("jawOpen")], [0, 1])


def _set(rows: list[list[str]], row: int, column: str, value: str) -> list[list[str]]:
    rows[row][rows[0].index(column)] = value
    return rows


BROKEN: dict[str, tuple[Callable[[list[list[str]]], list[list[str]]], str]] = {
    "empty": (lambda rows: [], "it begins with nothing"),
    "other": (lambda rows: [["a", "b"], ["1", "2"]], "it begins with a, b, expected Timecode, BlendShapeCount"),
    "no rows": (lambda rows: rows[:1], "it has no rows"),
    "missing": (lambda rows: [row[:20] + row[21:] for row in rows], f"lacks columns {COLUMNS[18]}"),
    "angle missing": (lambda rows: [row[:-1] for row in rows], f"lacks columns {ANGLES[-1]}"),
    "doubled": (lambda rows: _set(rows, 0, "JawOpen", "JawLeft"), "lacks columns JawOpen"),
    "unknown": (lambda rows: [[*row, "x"] for row in rows], "has the unknown columns x"),
    "short row": (lambda rows: [*rows[:3], rows[3][:-2]], "row 3 has 61 cells, and the header 63"),
    "count": (lambda rows: _set(rows, 2, "BlendShapeCount", "60"), "row 2 has the count '60'"),
    "word": (lambda rows: _set(rows, 2, "JawOpen", "open"), "row 2 has 'open' where a number is expected"),
    "nan": (lambda rows: _set(rows, 2, "JawOpen", "nan"), "row 2 has a number that is not finite"),
    "percent": (lambda rows: _set(rows, 2, "JawOpen", "74"), "percentages must be divided by 100"),
    "degrees": (lambda rows: _set(rows, 2, "HeadYaw", "20"), "expected radians"),
    "time": (lambda rows: _set(rows, 2, "Timecode", "1.5"), "row 2 is not of the form HH:MM:SS:FF.mmm"),
    "backwards": (lambda rows: [rows[0], rows[2], rows[1]], "is not later than"),
    "nobody": (lambda rows: [rows[0], [rows[1][0], "0"]], "no row shows a face"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_other_files_are_refused(path: Path, fault: str) -> None:
    change, message = BROKEN[fault]
    with pytest.raises(InputError, match="is not a take of Live Link Face") as caught:
        read_again(path, change(written(path, moving(5))))
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_bytes_that_are_no_text_are_refused(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00Timecode")
    with pytest.raises(InputError, match="not readable as text"):
        read_take(path)
    with pytest.raises(InputError, match="does not exist"):
        read_take(path.with_name("none.csv"))
    assert len(HEADER) == 63
