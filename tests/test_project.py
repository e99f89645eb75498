"""What stands twice in the repository says the same in both places."""

import sys
from pathlib import Path

import pytest

import facepipe
from facepipe.config import example_toml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]


def test_the_settings_file_shows_every_setting() -> None:
    shown = (ROOT / "facepipe.toml").read_text("utf-8")
    assert shown == example_toml(), "python -c 'from facepipe.config import *; print(example_toml(), end=\"\")'"


def test_the_version_is_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == facepipe.__version__


@pytest.mark.parametrize("code", ["0", "1", "2", "3", "4", "5", "75", "130", "141"])
def test_the_readme_explains_every_exit_code(code: str) -> None:
    assert f"\n| {code} | " in (ROOT / "README.md").read_text("utf-8")
