"""Errors have the attributes that the terminal and the batch need, and survive pickling."""

import errno
import os
import pickle
from pathlib import Path

import pytest

from facepipe import errors
from facepipe.errors import (
    ExitCode,
    FacepipeError,
    FailedItemsError,
    InputError,
    OptionsError,
    PrecheckError,
    UsageError,
    WeightsError,
    as_expected,
)

CLASSES = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, FacepipeError)]


@pytest.mark.parametrize("error_class", [c for c in CLASSES if not issubclass(c, PrecheckError | FailedItemsError)])
def test_an_error_survives_pickling(error_class: type[FacepipeError]) -> None:
    error = error_class("a.mp4 is empty; give another file", detail="moov atom not found", permanent=False)
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.detail, copy.permanent) == (error_class, str(error), error.detail, False)
    assert copy.exit_code is not ExitCode.DONE


def test_a_precheck_error_lists_all_errors() -> None:
    error = PrecheckError([InputError("a.jpg is missing"), WeightsError("no landmarker", detail="sha256 differs")])
    for copy in (error, pickle.loads(pickle.dumps(error))):
        assert str(copy) == "a.jpg is missing\nno landmarker"
        assert (copy.exit_code, copy.failure_class, copy.detail) == (ExitCode.PRECHECK, "input", "sha256 differs")
        assert len(copy.errors) == 2


def test_an_options_error_survives_pickling() -> None:
    error = OptionsError([UsageError("row 3: size is 65")])
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.exit_code) == (OptionsError, str(error), ExitCode.USAGE)


def test_failed_items_are_listed_line_by_line() -> None:
    error = FailedItemsError(["a.mp4: empty", "b.mp4: no face"], done=[Path("c.mp4")], detail="tail")
    for copy in (error, pickle.loads(pickle.dumps(error))):
        assert (str(copy), copy.done, copy.detail) == ("a.mp4: empty\nb.mp4: no face", (Path("c.mp4"),), "tail")
        assert copy.exit_code is ExitCode.FAILED_ITEMS


def test_errors_of_the_disk_are_expected_and_others_are_bugs() -> None:
    for number in (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE):
        error = as_expected(OSError(number, os.strerror(number), "work/crop"))
        assert error is not None
        assert error.failure_class == "disk"
        assert str(error).startswith(f"{os.strerror(number)} (work/crop): ")
    assert as_expected(OSError(errno.ENOENT, "No such file or directory", "work/crop")) is None
    assert as_expected(ValueError("no OSError")) is None


def test_exit_codes_are_the_documented_ones() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "DONE": 0, "BUG": 1, "USAGE": 2, "PRECHECK": 3, "FAILED_ITEMS": 4, "FAILURE_LIMIT": 5, "TRY_AGAIN": 75,
        "INTERRUPTED": 130,
    }  # fmt: skip
