"""What stands twice in the repository says the same in both places."""

from pathlib import Path

import pytest

from facepipe.config import example_toml

ROOT = Path(__file__).parents[1]


def test_the_settings_file_shows_every_setting() -> None:
    shown = (ROOT / "facepipe.toml").read_text("utf-8")
    assert shown == example_toml(), "python -c 'from facepipe.config import *; print(example_toml(), end=\"\")'"


@pytest.mark.parametrize("code", ["0", "1", "2", "3", "4", "5", "75", "130", "141"])
def test_the_readme_explains_every_exit_code(code: str) -> None:
    assert f"\n| {code} | " in (ROOT / "README.md").read_text("utf-8")
