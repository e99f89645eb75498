"""Motion files, tracks, presets and settings that hold what no program of ours writes."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facepipe.batch.commands import Commands
from facepipe.batch.item import Item
from facepipe.batch.joblist import JobList
from facepipe.batch.rows import read_rows
from facepipe.config import load_settings
from facepipe.errors import FacepipeError, InputError, UsageError
from facepipe.face.track import load_track
from facepipe.motion.presets import load_preset
from facepipe.requests.rules import check_settings
from facepipe.spaces.files import load_coefficients
from tests.faults.program import run

MOTION = Path(__file__).parents[2] / "examples" / "motion.npz"
EXAMPLES = int(os.environ.get("FACEPIPE_FUZZ", "100"))
FUZZ = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize="FACEPIPE_FUZZ" not in os.environ,
    suppress_health_check=list(HealthCheck),
)


def write_arrays(path: Path, arrays: Mapping[str, Any], *, packed: int = zipfile.ZIP_STORED) -> Path:
    """Write an .npz; content in bytes is written as it is."""
    with zipfile.ZipFile(path, "w", packed) as archive:
        for name, array in arrays.items():
            stream = io.BytesIO()
            np.save(stream, array) if isinstance(array, np.ndarray) else stream.write(array)
            archive.writestr(f"{name}.npy", stream.getvalue())
    return path


def motion(**changed: Any) -> dict[str, Any]:
    with np.load(MOTION) as file:
        return {**{name: file[name] for name in file.files}, **changed}


def header(**changed: Any) -> Any:
    with np.load(MOTION) as file:
        content = {**json.loads(file["header"].tobytes()), **changed}
    return np.frombuffer(json.dumps(content).encode(), np.uint8)


def test_an_array_is_not_unpacked_before_its_size_is_known_to_fit(tmp_path: Path) -> None:
    """4 MB of zeros that are packed to 4 kB, and a shape of 8 TB without its numbers."""
    frames = 16_384
    arrays = motion(
        expression=np.zeros((frames, 64), np.float32), header=header(frame_count=frames, valid_frames=frames)
    )
    path = write_arrays(tmp_path / "packed.npz", arrays, packed=zipfile.ZIP_DEFLATED)
    with pytest.raises(InputError, match="would unpack from"):
        load_coefficients(path)
    claimed = io.BytesIO()
    np.lib.format.write_array_header_1_0(claimed, {"descr": "<f4", "fortran_order": False, "shape": (9_000_000, 64)})
    arrays = motion(expression=claimed.getvalue(), header=header(frame_count=9_000_000, valid_frames=1))
    with pytest.raises(InputError, match="would unpack from"):
        load_coefficients(write_arrays(tmp_path / "claimed.npz", arrays))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"expression": np.full((100, 64), 1e38, np.float32)}, "expression holds numbers up to 1e.38, .*at most 100"),
        ({"angles": np.full((100, 3), 100, np.float32)}, "angles holds numbers up to 100, .*at most 12.5664"),
        ({"header": header(fps="1e999999999")}, "frame rate is '1e999999999'"),
        ({"header": header(picture_size=[10**9, 1])}, "size of the picture"),
        ({"header": header(crop={"center_x": 1e38, "center_y": 0, "side": 1, "angle_radians": 0})}, "within 1000000"),
    ],
)
def test_motion_that_no_face_makes_is_refused(changed: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        load_coefficients(write_arrays(tmp_path / "motion.npz", motion(**changed)))


def test_an_archive_that_another_program_packed_is_read(tmp_path: Path) -> None:
    path = write_arrays(tmp_path / "packed.npz", motion(), packed=zipfile.ZIP_DEFLATED)
    assert np.array_equal(load_coefficients(path).expression, load_coefficients(MOTION).expression)


@pytest.mark.parametrize("sliders", ['{"yaw": NaN}', '{"yaw": 1e400}', '{"yaw": ' + "9" * 400 + "}", "[" * 100_000])
def test_a_preset_of_numbers_beyond_all_bounds_is_refused(sliders: str, tmp_path: Path) -> None:
    path = tmp_path / "preset.json"
    path.write_text(f'{{"format": "facepipe-preset", "version": 1, "sliders": {sliders}}}')
    with pytest.raises(InputError, match=r"preset\.json"):
        load_preset(path)


def test_a_preset_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    """As Notepad saves it."""
    path = tmp_path / "preset.json"
    content = b'{"format": "facepipe-preset", "version": 1,\r\n"sliders": {"smile": 0.8}}\r\n'
    path.write_bytes(b"\xef\xbb\xbf" + content)
    assert load_preset(path).values == {"smile": 0.8}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[motion]\nreference = -1\n", "'motion.reference' is '-1', expected best, first"),
        ('[face]\nface = "biggest"\n', "'face.face' is 'biggest', expected largest"),
        ("[output]\nsize_pixels = 65\n", "'output.size_pixels' is 65; video needs an even number"),
        ('[render]\nrenderer = "nerf"\n', "'render.renderer' is 'nerf'; expected one of"),
        ("[motion]\nstrength = " + "9" * 400 + "\n", "'motion.strength' is a number of"),
        ("[motion]\nstrength = nan\n", "'motion.strength' is nan"),
        ("[motion]\nstrength = " + "[" * 50_000 + "\n", "cannot be read as TOML"),
        ('[provenance]\nconsent = "a\\u0000"\n', "NUL"),
    ],
)
def test_a_bad_setting_is_blamed_on_its_file(
    text: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FACEPIPE_RENDER_RENDERER", raising=False)
    Path("facepipe.toml").write_text(text)
    for command in (("config",), ("reenact", "a.png", "b.mp4", "--dry-run")):
        outcome = run(*command)
        assert (outcome.exit_code, "facepipe.toml" in outcome.stderr) == (2, True), outcome.stderr
        assert words in outcome.stderr
        assert "--" not in outcome.stderr


def test_numbers_of_faces_and_frames_may_be_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "facepipe.toml").write_text("[motion]\nreference = 3\n[face]\nface = 2\ndriver_face = 1\n")
    found = load_settings(folder=tmp_path)
    assert (found.motion.reference, found.face.face, found.face.driver_face) == ("3", "2", "1")
    monkeypatch.setenv("FACEPIPE_FACE_FACE", "zero")
    with pytest.raises(UsageError, match=r"^FACEPIPE_FACE_FACE is 'zero'"):
        check_settings(load_settings(folder=tmp_path))


TEXT = st.one_of(
    st.text(max_size=12), st.sampled_from(["a.png", "b.mp4", "{source}", "{", "\0", "../x", "1e400", "-1"])
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
COLUMNS = st.sampled_from(
    ["source", "driving", "driver", "sound", "command", "output", "sample", "size", "strength", "face", "sweep", "yaw"]
)
COMMANDS = st.sampled_from(["reenact", "edit", "crop", "audio", "motion", "mux", "features", "fly"])
ROWS = st.dictionaries(COLUMNS | TEXT, VALUES, max_size=6)


@FUZZ
@given(row=ROWS, command=COMMANDS, template=TEXT)
def test_any_row_is_an_item_or_an_error(row: dict[str, Any], command: str, template: str) -> None:
    rows = lambda: [(1, row)]  # noqa: E731
    listed = JobList("jobs", rows, Commands(load_settings()), command, {}, template)
    for item in listed.read():
        if isinstance(item, Item):
            json.dumps(item.as_json(), allow_nan=False)
            listed.commands.check(item)
            assert "\0" not in "".join(map(str, (*listed.commands.results(item), *listed.commands.inputs(item))))
            assert len(listed.commands.inputs(item)) == len(listed.commands.accepted(item))
        else:
            assert isinstance(item, FacepipeError)


@FUZZ
@given(content=st.binary(max_size=60) | TEXT.map(lambda text: f"source,size\n{text}".encode("utf-8", "replace")))
def test_any_list_is_rows_or_errors(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "jobs.csv"
    path.write_bytes(content)
    with suppress(FacepipeError):
        assert all(isinstance(row, tuple | FacepipeError) for row in read_rows(path))


@FUZZ
@given(
    name=st.sampled_from(["facepipe.toml", "preset.json"]),
    key=st.sampled_from(["size_pixels", "strength", "sliders", "sweeps", "version", "reference"]),
    value=VALUES,
)
def test_any_settings_and_presets_are_read_or_refused(
    name: str, key: str, value: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzz"
    folder.mkdir(exist_ok=True)
    written = json.dumps(value)
    if name == "preset.json":
        (folder / name).write_text(f'{{"format": "facepipe-preset", "version": 1, "{key}": {written}}}')
        with suppress(FacepipeError):
            load_preset(folder / name)
    else:
        (folder / name).write_text(f"[output]\nsize_pixels = 64\n[motion]\n{key} = {written}\n")
        with suppress(FacepipeError):
            check_settings(load_settings(folder=folder))


@FUZZ
@given(data=st.data())
def test_any_change_of_a_motion_file_or_track_is_read_or_refused(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.npz"
    if data.draw(st.booleans()):
        key = data.draw(
            st.sampled_from(["fps", "frame_count", "valid_frames", "crop", "picture_size", "space", "version"])
        )
        write_arrays(path, motion(header=header(**{key: data.draw(VALUES)})))
    else:
        content = bytearray(MOTION.read_bytes())
        for at in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=5)):
            content[at] = data.draw(st.integers(0, 255))
        path.write_bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content)
    for load in (load_coefficients, load_track):
        with suppress(FacepipeError):
            load(path)
