"""`facepipe status`, `clean` and `config`."""

import json
from pathlib import Path

import pytest

from tests.pipeline.scene import Scene, run


@pytest.fixture
def work(scene: Scene, tmp_path: Path) -> Path:
    """A work folder in which one picture was edited twice."""
    for yaw in ("5", "10"):
        arguments = ("edit", scene.portrait, "--yaw", yaw, "--size", "64", "-o", tmp_path / "out.png")
        assert run(*arguments, "--work", tmp_path / "work").exit_code == 0
    return tmp_path / "work"


def test_status_counts_what_there_is(work: Path) -> None:
    lines = run("status", work).stdout.splitlines()
    assert lines[0].startswith(f"{work}: 1 jobs, ")
    assert [line.split()[:2] for line in lines[2:]] == [
        ["coefficients", "1"],
        ["crop", "1"],
        ["motion", "2"],
        ["render", "2"],
    ]
    assert lines[-1].endswith("1 unreferenced")
    (content,) = [json.loads(line) for line in run("status", work, "--json").stdout.splitlines()]
    assert {stage["stage"]: stage["artefacts"] for stage in content["stages"]}["render"] == 2


def test_status_of_nothing(tmp_path: Path) -> None:
    outcome = run("status", tmp_path / "none")
    assert (outcome.exit_code, outcome.stdout) == (0, f"{tmp_path / 'none'}: no work files\n")


def test_clean_removes_what_was_asked_for_and_never_results(work: Path) -> None:
    out = work.parent / "out.png"
    assert run("clean", work).stdout.startswith("removed 0 files and folders in")
    planned = run("clean", work, "--unreferenced", "--dry-run").stdout
    assert "would remove 2 files and folders in" in planned
    assert len(list(work.glob("render/*/*"))) == 2
    assert run("clean", work, "--unreferenced").stdout.startswith("removed 2 files and folders in")
    assert len(list(work.glob("render/*/*"))) == 1
    assert run("clean", work, "--all").exit_code == 0
    assert not list(work.rglob("record.json"))
    assert out.exists()


def test_clean_refuses_a_folder_that_there_is_not(tmp_path: Path) -> None:
    outcome = run("clean", tmp_path / "none")
    assert outcome.exit_code == 2
    assert "is not a folder" in outcome.stderr


def test_config_shows_values_and_where_they_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "facepipe.toml").write_text("[output]\nquality = 20\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEPIPE_OUTPUT_FIT", "pad")
    monkeypatch.delenv("FACEPIPE_RENDER_RENDERER")
    output = run("config", "--show-origin").stdout
    rows = {line.split(" = ")[0]: line.split(" = ")[1].split("  ", 1) for line in output.splitlines()}
    settings = {name: (value, origin.strip()) for name, (value, origin) in rows.items()}
    assert settings["output.quality"] == ("20", f"# {tmp_path / 'facepipe.toml'}")
    assert settings["output.fit"] == ('"pad"', "# FACEPIPE_OUTPUT_FIT")
    assert settings["render.renderer"] == ('"compact"', "# default")
    assert "#" not in run("config").stdout
    rows_as_json = [json.loads(line) for line in run("config", "--json").stdout.splitlines()]
    assert {"schema": 1, "name": "output.fit", "value": "pad", "origin": "FACEPIPE_OUTPUT_FIT"} in rows_as_json
