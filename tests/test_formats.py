"""docs/formats.md describes the actual content of the files."""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from facepipe.engine import events
from facepipe.engine.events import StageEvent
from facepipe.spaces import SPACES
from tests.pipeline.scene import ROOT, Scene

TEXT = (ROOT / "docs/formats.md").read_text("utf-8")


def section(title: str) -> str:
    """Return the section whose heading starts with `title`."""
    return TEXT.split(f"\n## {title}")[1].split("\n## ")[0]


def documented(title: str) -> set[str]:
    """Return the names in the first column of a section's tables."""
    cells = [line.split("|")[1] for line in section(title).splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in cell.split("`")[1::2]}


@pytest.mark.parametrize(
    ("title", "name", "command", "absent"),
    [("Coefficient file", "out.npz", "coefficients", set()), ("Track file", "out.track.npz", "crop", {"sixty_eight"})],
)
def test_every_field_of_an_npz_is_documented(
    scene: Scene, tmp_path: Path, title: str, name: str, command: str, absent: set[str]
) -> None:
    scene.run(command, scene.driver, "-o", tmp_path / ("out.npz" if command == "coefficients" else "out.mp4"))
    with np.load(tmp_path / name, allow_pickle=False) as file:
        header = json.loads(file["header"].tobytes())
        arrays = {key: file[key] for key in file.files if key != "header"}
    assert {*header, *arrays} - {"format", "version"} | absent == documented(title)
    assert f"`{header['format']}`, version {header['version']}" in section(title).splitlines()[0]
    for key, array in arrays.items():
        row = next(line for line in section(title).splitlines() if line.startswith(f"| `{key}`"))
        shape = str(array.shape).replace("20,", "T,").replace("'", "")
        assert f"| {shape}" in row
        assert array.dtype in (np.float32, np.bool_, np.int32)
        assert ("int32" in row) == (array.dtype == np.int32)
        assert ("bool" in row) == (array.dtype == np.bool_)


@pytest.mark.parametrize("space", ["bfm", "keypoints68", "arkit52", "imf_tokens"])
def test_every_array_of_other_spaces_is_documented(space: str) -> None:
    title = f"Coefficients in the space `{space}`"
    assert documented(title) == set(SPACES[space].arrays)
    for key, shape in SPACES[space].arrays.items():
        row = next(line for line in section(title).splitlines() if line.startswith("| `") and f"`{key}`" in line)
        lengths = ", ".join("T" if length is None else str(length) for length in shape)
        assert f"| ({lengths}{',' if len(shape) == 1 else ''})" in row


def test_every_key_of_a_sidecar_and_a_record_is_documented(scene: Scene, tmp_path: Path) -> None:
    scene.run("reenact", scene.portrait, scene.motion, "-o", tmp_path / "out.mp4", "--size", "64")
    content = json.loads((tmp_path / "out.mp4.json").read_text())
    assert set(content) | {"replaces", "consent"} == documented("Sidecar") | {"format", "version"}
    for key in content["stages"][0]:
        assert f"`{key}`" in section("Sidecar")
    record = json.loads(next(scene.work.glob("mux/*/*/record.json")).read_text())
    assert set(record) == documented("record.json") | {"schema"}


def test_every_event_and_its_keys_are_documented() -> None:
    rows = [line.split("|")[1:3] for line in section("Events").splitlines() if line.startswith("| `")]
    described = {event: set(keys.split("`")[1::2]) for cell, keys in rows for event in cell.split("`")[1::2]}
    kinds = [kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, events.Event)]
    actual = {
        kind.event: {field.name for field in fields(kind)} - {"time"}
        for kind in kinds
        if kind not in (events.Event, StageEvent)
    }
    assert described == actual


def test_the_preset_in_the_document_is_valid(tmp_path: Path) -> None:
    from facepipe.motion.presets import load_preset

    path = tmp_path / "preset.json"
    path.write_text(section("Preset").split("```json")[1].split("```")[0])
    assert load_preset(path).sweeps == {"pitch": (-10, 10)}
