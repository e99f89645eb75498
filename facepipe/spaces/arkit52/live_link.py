"""Takes as the app Live Link Face writes them: a CSV with 52 face units and the angles of head and eyes in each row.

The header is that of the app's own files: Timecode, BlendShapeCount, the units with a capital letter, and nine angles.
The app documents neither unit nor sense of the angles; they are taken for radians about ARKit's axes (x to the
subject's left, y up, z towards the viewer, right-handed), so that a positive yaw looks to the subject's left, a
positive pitch down, and a positive roll tilts the head counter-clockwise for the viewer.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.units import UNITS
from facepipe.engine.remark import Remark
from facepipe.errors import InputError
from facepipe.face.gaze import LOOKING, gaze_of_looks
from facepipe.spaces.arkit52.coefficients import UnitCoefficients, resting
from facepipe.spaces.arkit52.timecode import Clock, read_timecodes, write_timecode

Floats = NDArray[np.floating]
SUFFIX = ".csv"
TIME, COUNT = "Timecode", "BlendShapeCount"
ANGLES = tuple(f"{part}{angle}" for part in ("Head", "LeftEye", "RightEye") for angle in ("Yaw", "Pitch", "Roll"))
# In the app's files the right side comes first in these pairs.
_SWAPPED = {"jawLeft": "jawRight", "jawRight": "jawLeft", "mouthLeft": "mouthRight", "mouthRight": "mouthLeft"}
UNIT_COLUMNS = tuple(_SWAPPED.get(name, name) for name in UNITS)
COLUMNS = tuple(name[0].upper() + name[1:] for name in UNIT_COLUMNS)
HEADER = (TIME, COUNT, *COLUMNS, *ANGLES)
_ORDER = [UNITS.index(name) for name in UNIT_COLUMNS]
# From our yaw and roll to those of the axes above.
YAW_SENSE, ROLL_SENSE = -1, -1
# Weights this far outside of 0 to 1 are clipped: apps that subtract a person's neutral face write such numbers.
SLACK = 0.5
# A row without a face is valid motion again after it; a longer pause of the time codes is a gap too.
GAP_SECONDS = 0.2
MAX_FRAMES = 1_000_000


def write_take(coefficients: UnitCoefficients, path: Path) -> None:
    """Write a take. Equal coefficients give equal bytes. Frames without a face hold what fills them."""
    weights, gaze = coefficients.weights[:, _ORDER], coefficients.gaze
    zero = np.zeros(len(coefficients))
    pitch, yaw, roll = coefficients.angles.T
    eyes = [part for eye in (0, 1) for part in (YAW_SENSE * gaze[:, eye, 0], gaze[:, eye, 1], zero)]
    rows = np.column_stack([weights, YAW_SENSE * yaw, pitch, ROLL_SENSE * roll, *eyes]) + 0.0
    with path.open("w", encoding="ascii", newline="") as file:
        file.write(",".join(HEADER) + "\n")
        for number, row in enumerate(rows):
            cells = ",".join(f"{value:.6f}" for value in row)
            file.write(f"{write_timecode(number, coefficients.fps)},{len(row)},{cells}\n")


@dataclass(frozen=True)
class Take:
    """A take as coefficients of the mean face, whose expressions are at rest, with remarks."""

    coefficients: UnitCoefficients
    remarks: tuple[Remark, ...]


def read_take(path: Path) -> Take:
    """Read a take. Rows that are not evenly spaced in time are interpolated.

    Raises InputError for a file of another form: columns that are missing, doubled or unknown, rows of another length,
    numbers that are not finite or cannot be weights or angles, and time codes that do not ascend.
    """
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path} does not exist. Give the path of a take of Live Link Face (.csv).") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not readable as text ({error}). Give a take of Live Link Face (.csv).") from error
    try:
        return _take(text)
    except (ValueError, csv.Error) as error:
        raise InputError(
            f"{path} is not a take of Live Link Face: {error}. docs/formats.md describes the columns."
        ) from error


def _take(text: str) -> Take:
    header, *rows = [row for row in csv.reader(text.splitlines()) if any(cell.strip() for cell in row)] or [[]]
    places = _places([cell.strip() for cell in header])
    if not rows:
        raise ValueError("it has no rows")
    if len(rows) > MAX_FRAMES:
        raise ValueError(f"it has {len(rows)} rows, expected at most {MAX_FRAMES}")
    values = np.stack([_values(number, row, len(header)) for number, row in enumerate(rows)])
    valid = np.asarray(np.isfinite(values).all(1), bool)
    if not valid.any():
        raise ValueError("no row shows a face: the count of blend shapes is 0 in all of them")
    weights = values[:, [places[name.lower()] - 2 for name in COLUMNS]][:, np.argsort(_ORDER)]
    angles = _angles(values, places)
    remarks = _checked(weights[valid], angles[valid])
    clock = read_timecodes([row[0] for row in rows])
    made = _coefficients(np.nan_to_num(weights), np.nan_to_num(angles), valid, clock.fps)
    if clock.even:
        return Take(made, (*clock.remarks, *remarks))
    return Take(*_even(made, clock, [*clock.remarks, *remarks]))


def _places(header: Sequence[str]) -> dict[str, int]:
    """Return the column of each name, in lower case. Raises ValueError for a header of another form."""
    names = [name.lower() for name in header]
    if names[:2] != [TIME.lower(), COUNT.lower()]:
        raise ValueError(f"it begins with {', '.join(header[:2])[:80] or 'nothing'}, expected {TIME}, {COUNT}")
    known = {name.lower(): name for name in HEADER}
    faults = {
        "lacks": [name for name in COLUMNS if name.lower() not in names],
        "has twice": sorted({known[name] for name in names if name in known and names.count(name) > 1}),
        "has the unknown": [name for name, lower in zip(header, names, strict=True) if lower not in known],
    }
    there = [name for name in ANGLES if name.lower() in names]
    if there:  # Some programs write only the units.
        faults["lacks"] += [name for name in ANGLES if name not in there]
    for fault, found in faults.items():
        if found:
            more = f" and {len(found) - 3} others" if len(found) > 3 else ""
            raise ValueError(f"it {fault} columns {', '.join(found[:3])}{more}")
    return {name: place for place, name in enumerate(names)}


def _values(number: int, row: Sequence[str], length: int) -> Floats:
    """Return the numbers of a row after the count; nan for a row without a face."""
    count, cells = row[1].strip() if len(row) > 1 else "", [cell.strip() for cell in row[2:]]
    if count == "0" and not any(cells):
        return np.full(length - 2, np.nan)
    if len(row) != length:
        raise ValueError(f"row {number + 1} has {len(row)} cells, and the header {length}")
    if count != str(length - 2) and count != str(len(UNITS)):
        raise ValueError(f"row {number + 1} has the count {count!r} of blend shapes, expected {length - 2}")
    try:
        values = np.array([float(cell) for cell in cells])
    except ValueError:
        wrong = next(cell for cell in cells if not _is_number(cell))
        raise ValueError(f"row {number + 1} has {wrong[:40]!r} where a number is expected") from None
    if not np.isfinite(values).all():
        raise ValueError(f"row {number + 1} has a number that is not finite")
    return values


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _angles(values: Floats, places: dict[str, int]) -> Floats:
    """Return our angles (T, 3) of the head; zero if the file has none."""
    if ANGLES[0].lower() not in places:
        return np.where(np.isfinite(values[:, :1]), 0.0, np.nan) * np.zeros(3)
    yaw, pitch, roll = (values[:, places[name.lower()] - 2] for name in ANGLES[:3])
    return np.stack([pitch, YAW_SENSE * yaw, ROLL_SENSE * roll], axis=1)


def _checked(weights: Floats, angles: Floats) -> list[Remark]:
    """Return the remark about weights that will be clipped. Raises ValueError for what no weight or angle is."""
    low, high = float(weights.min()), float(weights.max())
    if low < -SLACK or high > 1 + SLACK:
        hint = "; percentages must be divided by 100" if high > 2 else ""
        raise ValueError(f"weights are from {low:.3g} to {high:.3g}, expected 0 to 1{hint}")
    largest = float(np.abs(angles).max())
    if largest > math.pi:
        raise ValueError(f"an angle of the head is {largest:.3g}, expected radians, at most {math.pi:.3g}")
    if low < 0 or high > 1:
        return [Remark("clipped", f"weights are from {low:.3g} to {high:.3g}, and were clipped to 0 to 1")]
    return []


def _coefficients(weights: Floats, angles: Floats, valid: NDArray[np.bool_], fps: Fraction) -> UnitCoefficients:
    # The units that look are the better known ones: the unit of the columns of the eyes is undocumented.
    gaze = gaze_of_looks(np.clip(weights[:, list(LOOKING)], 0, 1))
    return replace(resting(len(weights), fps), weights=weights, gaze=gaze, angles=angles, valid=valid)


def _even(made: UnitCoefficients, clock: Clock, remarks: list[Remark]) -> tuple[UnitCoefficients, tuple[Remark, ...]]:
    """Interpolate rows to even times. What lies in a pause of more than GAP_SECONDS is without a face."""
    times = np.arange(math.floor(clock.seconds[-1] * clock.fps + 0.5) + 1) / float(clock.fps)
    there = np.flatnonzero(made.valid)
    known = clock.seconds[there]

    def at(rows: Floats) -> Floats:
        flat = rows.reshape(len(rows), -1)[there]
        return np.stack([np.interp(times, known, column) for column in flat.T], axis=1).reshape(-1, *rows.shape[1:])

    after = np.clip(np.searchsorted(known, times), 0, len(known) - 1)
    before = np.maximum(after - 1, 0)
    near = np.minimum(np.abs(times - known[before]), np.abs(times - known[after]))
    valid = (near <= 0.5 / float(clock.fps)) | (known[after] - known[before] <= GAP_SECONDS)
    found = replace(
        resting(len(times), clock.fps), weights=at(made.weights), gaze=at(made.gaze), angles=at(made.angles)
    )
    text = f"the rows are not evenly spaced, and were interpolated to {float(clock.fps):.6g} frames per second"
    return replace(found, valid=valid), (*remarks, Remark("uneven-times", text))
