"""Texts that occur twice in the repository are consistent."""

from pathlib import Path

import pytest

from facepipe import __version__
from facepipe.config import example_toml

ROOT = Path(__file__).parents[1]


def test_the_settings_file_lists_every_setting() -> None:
    content = (ROOT / "facepipe.toml").read_text("utf-8")
    assert content == example_toml(), "python -c 'from facepipe.config import *; print(example_toml(), end=\"\")'"


@pytest.mark.parametrize("code", ["0", "1", "2", "3", "4", "5", "75", "130", "141"])
def test_the_readme_explains_every_exit_code(code: str) -> None:
    assert f"\n| {code} | " in (ROOT / "README.md").read_text("utf-8")


def test_the_readme_lists_every_page() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    for page in [*sorted(ROOT.glob("docs/*.md")), ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"]:
        name = page.relative_to(ROOT).as_posix()
        assert f"[{name}]({name}): " in text, name


def test_the_changelog_has_the_current_version() -> None:
    assert f"\n## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")
