"""Settings come from five sources in a fixed order, and errors name the source."""

from pathlib import Path
from typing import Any

import pytest

from facepipe import settings as declarations
from facepipe.config import example_toml, load_settings
from facepipe.errors import UsageError


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment with a user file of quality 20 and strength 0.5."""
    folder = tmp_path / "home" / ".config" / "facepipe"
    folder.mkdir(parents=True)
    (folder / "facepipe.toml").write_text("[output]\nquality = 20\n[motion]\nstrength = 0.5\n")
    return {"HOME": str(tmp_path / "home")}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project" / "deep"
    folder.mkdir(parents=True)
    return folder


def write(project: Path, text: str) -> Path:
    path = project.parent / "facepipe.toml"
    path.write_text(text)
    return path


def test_each_source_overrides_the_one_before(home: dict[str, str], project: Path) -> None:
    def quality(**how: Any) -> tuple[int, str]:
        settings = load_settings(folder=project, **how)
        return settings.output.quality, settings.origin("output.quality")

    assert quality(environ={}) == (75, "default")
    assert quality(environ=home) == (20, str(Path(home["HOME"]) / ".config/facepipe/facepipe.toml"))
    path = write(project, "[output]\nquality = 21\n")
    assert quality(environ=home) == (21, str(path))
    variable = {**home, "FACEPIPE_OUTPUT_QUALITY": "22"}
    assert quality(environ=variable) == (22, "FACEPIPE_OUTPUT_QUALITY")
    assert quality(environ=variable, flags={"output.quality": 23}) == (23, "flag")
    assert quality(environ=variable, flags={"output.quality": None}) == (22, "FACEPIPE_OUTPUT_QUALITY")
    assert load_settings(folder=project, environ=variable).motion.strength == 0.5


def test_every_setting_has_a_row(project: Path) -> None:
    rows = load_settings(folder=project, environ={}, flags={"face.no_face": "cut"}).rows()
    assert ("face.no_face", "cut", "flag") in rows
    assert len(rows) == len({name for name, _, _ in rows}) == sum(1 for _ in declarations.declared())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[output]\nqualty = 1", r"facepipe.toml': 'output.qualty' is not a setting; did you mean 'output.quality'"),
        ("[outptu]\nquality = 1", r"facepipe.toml': 'outptu' is not a section; did you mean 'output'"),
        ("quality = 1", r"facepipe.toml': 'quality' is not a section; expected one of face, media"),
        ("output = 1", r"facepipe.toml': 'output' is a section; write \[output\]"),
        ("[output]\nquality = 'best'", r"facepipe.toml': 'output.quality' is 'best'; expected a whole number"),
        ("[output]\nquality = 18.5", r"'output.quality' is 18.5; expected a whole number"),
        ("[output]\nquality = true", r"'output.quality' is True; expected a whole number"),
        ("[output]\nquality = 101", r"'output.quality' is 101; expected a number between 0 and 100"),
        ("[output]\nfit = 'long'", r"'output.fit' is 'long'; expected one of shortest, driver, pad"),
        ("[output]\nfit = ['pad']", r"'output.fit' is \['pad'\]; expected one of"),
        ("[motion]\nstrength = nan", r"'motion.strength' is nan; expected a number between"),
        ("[media]\nmax_pixels = 0", r"'media.max_pixels' is 0; expected a number of at least 1"),
        ("[output", r"facepipe.toml' cannot be read as TOML"),
    ],
)
def test_errors_in_a_file_name_file_and_key(project: Path, text: str, message: str) -> None:
    write(project, text)
    with pytest.raises(UsageError, match=message):
        load_settings(folder=project, environ={})


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        (
            "FACEPIPE_OUTPUT_QUALTY",
            "1",
            "FACEPIPE_OUTPUT_QUALTY is not a setting; did you mean 'FACEPIPE_OUTPUT_QUALITY'",
        ),
        ("FACEPIPE_OUTPUT_QUALITY", "best", "FACEPIPE_OUTPUT_QUALITY is 'best'; expected a whole number"),
        ("FACEPIPE_MOTION_STRENGTH", "inf", "FACEPIPE_MOTION_STRENGTH is inf; expected a number between"),
        ("FACEPIPE_CONFIG", "/nowhere.toml", "FACEPIPE_CONFIG names '/nowhere.toml', which is not a file"),
    ],
)
def test_errors_in_the_environment_name_the_variable(project: Path, variable: str, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_settings(folder=project, environ={variable: text})


def test_other_facepipe_variables_are_ignored(project: Path) -> None:
    load_settings(
        folder=project, environ={"FACEPIPE_FFMPEG": "/x", "FACEPIPE_WEIGHTS": "/y", "FACEPIPE_REQUIRE_CUDA": "1"}
    )


def test_flags_are_validated(project: Path) -> None:
    with pytest.raises(UsageError, match=r"output.size_pixels is 9; expected a number between 64 and 2048"):
        load_settings(folder=project, environ={}, flags={"output.size_pixels": 9})


def test_integers_are_accepted_for_floats(project: Path) -> None:
    write(project, "[motion]\nstrength = 2\n")
    strength = load_settings(folder=project, environ={}).motion.strength
    assert (strength, type(strength)) == (2.0, float)


def test_the_example_contains_the_defaults(project: Path) -> None:
    write(project, example_toml())
    assert load_settings(folder=project, environ={}).origins == {}
    active = "\n".join(
        line.removeprefix("# ") if " = " in line and line.count(" ") == 3 else line
        for line in example_toml().splitlines()
    )
    write(project, active)
    settings = load_settings(folder=project, environ={})
    assert set(settings.origins) == {name for name, _, _ in declarations.declared()}
    assert [value for _, value, _ in settings.rows()] == [value for _, value, _ in declarations.Settings().rows()]


def test_an_old_name_is_answered_with_the_new_one(tmp_path: Path) -> None:
    """In the file and in the environment."""
    (tmp_path / "file").mkdir()
    (tmp_path / "file" / "facepipe.toml").write_text('[face]\nbasis = "bfm"\n', "utf-8")
    with pytest.raises(UsageError, match=r"'face\.basis'.*it is now called 'face\.space'"):
        load_settings(folder=tmp_path / "file", environ={})
    with pytest.raises(UsageError, match="it is now called 'FACEPIPE_FACE_SPACE'"):
        load_settings(folder=tmp_path / "none", environ={"FACEPIPE_FACE_BASIS": "bfm"})


def test_a_byte_order_mark_and_line_ends_of_windows_are_read(project: Path) -> None:
    """As Notepad saves a file."""
    (project.parent / "facepipe.toml").write_bytes(b"\xef\xbb\xbf[output]\r\nquality = 60\r\n")
    assert load_settings(folder=project, environ={}).output.quality == 60


def test_an_empty_variable_is_not_set(project: Path) -> None:
    write(project, "[output]\nquality = 21\n")
    empty = {"FACEPIPE_OUTPUT_QUALITY": "", "FACEPIPE_OUTPUT_CODEC": "", "FACEPIPE_PROVENANCE_CONSENT": ""}
    settings = load_settings(folder=project, environ=empty)
    assert settings.output.quality == 21
    assert set(settings.origins) == {"output.quality"}
