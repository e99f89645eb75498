"""The options of a job, from a request and the settings."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from facepipe.config import load_settings
from facepipe.pipeline.options import Options
from facepipe.requests import ReenactRequest
from facepipe.requests.resolution import options_for


@pytest.fixture(autouse=True)
def no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FACEPIPE_RENDER_RENDERER")


def options(**given: Any) -> Options:
    return options_for(ReenactRequest(source=Path("a.png"), driver=Path("b.mp4"), **given), load_settings())


def test_motion_is_carried_and_smoothed_as_published_in_the_space_bfm() -> None:
    """There absolute and raw, unless something else is said; elsewhere relative and smoothed."""
    own, published = options(), options(space="bfm")
    assert (own.retargeting.motion, own.smoothing) == ("relative", "savitzky-golay")
    assert (published.retargeting.motion, published.smoothing) == ("absolute", "none")
    options_given = options(space="bfm", motion="relative", smoothing="one-euro")
    assert (options_given.retargeting.motion, options_given.smoothing) == ("relative", "one-euro")
    assert options(smoothing="none").smoothing == "none"


def test_options_have_the_defaults_of_the_settings() -> None:
    """Each default has one place; `Options()` is the job to which neither flag nor setting says anything."""
    defaults = options()
    names = [field.name for field in fields(Options) if field.name != "invocation"]
    assert {name: getattr(defaults, name) for name in names} == {name: getattr(Options(), name) for name in names}
