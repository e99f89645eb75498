"""What a job is asked for, of what was said and what was not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from facepipe.cli.arguments import Given
from facepipe.cli.jobs import options_of
from facepipe.config import MotionSettings
from facepipe.evaluate.moving import SMOOTHING
from facepipe.pipeline.options import Options


@pytest.fixture(autouse=True)
def no_settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def asked(**settings: Any) -> Options:
    """Flags by the names that follow the last dot, with underscores for dots."""
    return options_of(Given({name.replace("__", "."): value for name, value in settings.items()}, {}))[0]


def test_motion_is_carried_and_smoothed_as_published_in_the_space_bfm() -> None:
    """There absolute and raw, unless something else is said; elsewhere relative and smoothed."""
    own, published = asked(), asked(face__space="bfm")
    assert (own.retargeting.motion, own.smoothing) == ("relative", "savitzky-golay")
    assert (published.retargeting.motion, published.smoothing) == ("absolute", "none")
    said = asked(face__space="bfm", motion__motion="relative", motion__smoothing="one-euro")
    assert (said.retargeting.motion, said.smoothing) == ("relative", "one-euro")
    assert asked(motion__smoothing="none").smoothing == "none"


def test_the_evaluation_smooths_as_a_job_does_to_which_nothing_is_said() -> None:
    assert MotionSettings().smoothing == SMOOTHING
