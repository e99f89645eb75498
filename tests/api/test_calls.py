"""The functions of `import facepipe` give what the commands give."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
from PIL import Image

import facepipe
from facepipe.api import options
from facepipe.api.options import File
from facepipe.engine.events import Event, Progress, Summary
from facepipe.errors import UsageError
from facepipe.media.image import read_image, write_image
from facepipe.requests import (
    AudioRequest,
    BlendshapesRequest,
    CoefficientsRequest,
    CropRequest,
    DecodeRequest,
    EditRequest,
    EncodeRequest,
    MatteRequest,
    ReenactRequest,
)
from facepipe.requests.creation import CreateRequest
from facepipe.requests.declaration import Declared, declared
from facepipe.requests.frames import FramesRequest
from facepipe.requests.request import RequestBase
from tests.media.sounds import write_voice
from tests.pipeline.scene import ROOT, Scene, run

TYPES: Mapping[str, tuple[type[RequestBase], Any]] = {
    "reenact": (ReenactRequest, options.ReenactOptions),
    "audio": (AudioRequest, options.AudioOptions),
    "edit": (EditRequest, options.EditOptions),
    "crop": (CropRequest, options.CropOptions),
    "matte": (MatteRequest, options.MatteOptions),
    "coefficients": (CoefficientsRequest, options.CoefficientsOptions),
    "blendshapes": (BlendshapesRequest, options.BlendshapesOptions),
    "avatar_create": (CreateRequest, options.CreateOptions),
    "frames": (FramesRequest, options.FramesOptions),
    "encode": (EncodeRequest, options.EncodeOptions),
    "decode": (DecodeRequest, options.DecodeOptions),
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def record_of(out: Path) -> Any:
    """A record without what differs between two runs."""
    content = json.loads(out.with_name(f"{out.name}.json").read_text())
    for stage in content["stages"]:
        del stage["seconds"]
    return content


@pytest.mark.parametrize("command", ["reenact", "audio", "edit", "crop", "coefficients", "blendshapes"])
def test_a_function_writes_the_bytes_that_its_command_writes(scene: Scene, here: Path, command: str) -> None:
    voice = here / "voice.wav"
    write_voice(voice, 0.5)
    inputs: dict[str, list[Path]] = {"reenact": [scene.driver], "audio": [voice]}
    source = scene.driver if command in ("crop", "coefficients", "blendshapes") else scene.portrait
    options: dict[str, dict[str, Any]] = {
        "reenact": {"size": 64, "strength": 0.5, "paste_back": True, "reference": 3},
        "audio": {"size": 64, "seed": 4, "blinks": False, "temperature": 0.5},
        "edit": {"size": 64, "yaw": 12, "smile": 0.5, "sweep": ["pitch=-5:5"], "frames": 4},
        "crop": {"size": 64, "quality": 50},
        "coefficients": {"smoothing": "none"},
        "blendshapes": {"smoothing": "one-euro"},
    }
    given = options[command]
    name = {"coefficients": "out.npz", "blendshapes": "out.csv"}.get(command, "out.mp4")
    function: Callable[..., facepipe.Result] = getattr(facepipe, command)
    (here / "a").mkdir()
    made = function(source, *inputs.get(command, []), out=here / "a" / name, work=here / "work-a", **given)
    argv = [*map(str, [source, *inputs.get(command, [])]), "-o", str(here / "b" / name), "--work", str(here / "work-b")]
    for option, value in given.items():
        flag = f"--{option.replace('_', '-')}"
        if isinstance(value, bool):
            argv.append(flag if value else f"--no{flag[1:]}")
        else:
            argv += [f"{flag}={one}" for one in (value if isinstance(value, list) else [value])]
    (here / "b").mkdir()
    message = run(command, *argv)
    assert message.exit_code == 0, message.stderr
    assert [str(path).replace("/b/", "/a/") for path in message.stdout.split()] == [str(path) for path in made.paths]
    for path in made.paths:
        assert path.read_bytes() == (here / "b" / path.name).read_bytes()
    assert record_of(made.path) == record_of(here / "b" / name)
    assert made.record == json.loads((here / "a" / f"{name}.json").read_text())
    assert (
        made.frames
        == {"reenact": 20, "audio": 13, "edit": 4, "crop": 20, "coefficients": 20, "blendshapes": 20}[command]
    )
    assert all(fact for facts in made.facts.values() for fact in facts)


def test_an_array_gives_the_pixels_of_its_file_and_the_record_says_that_it_was_an_array(
    scene: Scene, here: Path
) -> None:
    array = read_image(scene.portrait)
    picture = here / "picture.png"
    write_image(picture, array)
    named = facepipe.reenact(picture, scene.motion, out="named.mp4", size=64, work="one")
    given = facepipe.reenact(array, scene.motion, out="given.mp4", size=64, work="two")
    assert Path("named.mp4").read_bytes() == Path("given.mp4").read_bytes()
    entry = given.record["inputs"]["source"]
    digest = hashlib.sha256(array.tobytes()).hexdigest()
    assert entry["array"] == {"shape": list(array.shape), "dtype": "uint8", "sha256": digest}
    assert "path" not in entry
    assert "path" in named.record["inputs"]["source"]
    seen: list[Event] = []
    assert facepipe.reenact(array, scene.motion, out="given.mp4", size=64, work="two", progress=seen.append) == given
    assert next(event for event in seen if isinstance(event, Summary)).made == 0
    # The pixels count, not what lies under the name.
    (held,) = Path("two/arrays").iterdir()
    write_image(held, array[::-1].copy())
    assert facepipe.reenact(array, scene.motion, out="given.mp4", size=64, work="two").record == given.record
    assert run("clean", "two", "--all").exit_code == 0
    assert not Path("two/arrays").exists()


def test_arrays_go_into_every_function(scene: Scene) -> None:
    array = read_image(scene.portrait)
    both = facepipe.crop([array, scene.portrait], out="crops", size=64)
    first, second = both.paths[0], both.paths[2]
    np.testing.assert_array_equal(read_image(first), read_image(second))
    assert "array" in both.records[first]["inputs"]["item"]
    assert both.records[second]["inputs"]["item"] == {"path": str(scene.portrait)}
    assert facepipe.coefficients(array, out="one.npz").frames == 1
    # Views, and whatever NumPy takes for an array of such pixels.
    others: list[Any] = [array[::-1, ::-1].copy()[::-1, ::-1], Image.fromarray(array)]
    for other in others:
        assert facepipe.crop(other, out="crop.png", size=64).record["inputs"] == both.records[first]["inputs"]
    edited = facepipe.edit(array, yaw=5, size=64)
    assert edited.path.name.startswith("array-320x300-")


GREY = np.zeros((64, 64), np.uint8)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (GREY, r"shape \(64, 64\) and dtype uint8, expected \(H, W, 3\) RGB; convert grey with numpy.stack"),
        (
            np.zeros((3, 64, 64), np.uint8),
            r"expected \(H, W, 3\) RGB; convert \(3, H, W\) with source.transpose\(1, 2, 0\)",
        ),
        (np.zeros((64, 64, 4), np.uint8), r"remove alpha with source\[..., :3\]"),
        (np.zeros((64, 64, 3), np.float32), r"dtype float32, expected uint8; convert floats in \[0, 1\]"),
        (np.zeros((64, 64, 3), np.int64), r"dtype int64, expected uint8$"),
        (np.zeros((4, 64, 3), np.uint8), "expected at least 16 pixels"),
        (3.5, "source is a float, expected a path or an array"),
        (None, "source is a NoneType, expected a path or an array"),
    ],
)
def test_what_is_no_picture_is_named(here: Path, source: Any, message: str) -> None:
    with pytest.raises(facepipe.UsageError, match=message):
        facepipe.reenact(source, "driver.mp4", out="out.mp4")
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: facepipe.reenact("a.png", "b.mp4", sise=3), "UsageError", "no option 'sise'; did you mean 'size'"),  # type: ignore[call-arg]
        (lambda: facepipe.frames("a.png", "b.mp4", quality=3), "UsageError", "frames has no option 'quality'"),  # type: ignore[call-arg]
        (lambda: facepipe.edit("a.png", size="64"), "UsageError", "size is '64', expected a whole number"),  # type: ignore[arg-type]
        (lambda: facepipe.edit("a.png", force=["draw"]), "UsageError", "unknown stage"),
        (lambda: facepipe.reenact("a.png", "b.mp4", renderer="clay"), "UsageError", "'clay'; expected one of compact"),
        (lambda: facepipe.reenact("no.png", "no.mp4", out="o.mp4"), "PrecheckError", "no.png.*\n.*no.mp4"),
        (lambda: facepipe.frames("no.png", "examples/motion.npz"), "FacepipeError", "no.png"),
        (lambda: facepipe.encode("-", out="a.fpv"), "UsageError", "is '-', stdin or stdout"),
        (lambda: facepipe.encode("a.mp4", out="a.fpv", tokens="words"), "UsageError", "expected coefficients or imf"),
        (lambda: facepipe.decode("no.fpv", out="a.mp4"), "FacepipeError", "no.fpv"),
    ],
)
def test_faults_are_errors_that_say_what_to_do(
    here: Path, call: Callable[[], object], error: str, message: str
) -> None:
    with pytest.raises(getattr(facepipe, error), match=message):
        call()
    assert list(here.iterdir()) == []


def test_an_exception_of_the_callback_stops_the_job_and_leaves_nothing(scene: Scene, here: Path) -> None:
    class EnoughError(Exception):
        pass

    def stop(event: Event) -> None:
        if isinstance(event, Progress) and event.stage == "render":
            raise EnoughError

    with pytest.raises(EnoughError):
        facepipe.reenact(scene.portrait, scene.motion, out="out.mp4", renderer="compact", size=256, progress=stop)
    assert not Path("out.mp4").exists()
    assert run("clean", ".facepipe").exit_code == 0


def test_import_loads_nothing_heavy() -> None:
    code = "import sys; before = set(sys.modules); import facepipe; print(*(set(sys.modules) - before))"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT).split()
    assert [name for name in loaded if name.startswith("facepipe")] == ["facepipe"]
    assert not {"numpy", "torch", "typer", "asyncio", "inspect"} & set(loaded)
    assert all(hasattr(facepipe, name) for name in facepipe.__all__)
    with pytest.raises(AttributeError, match="no attribute 'fly'"):
        facepipe.fly  # type: ignore[attr-defined]  # noqa: B018


def test_encode_and_decode_write_the_bytes_that_their_commands_write(scene: Scene, here: Path) -> None:
    flags = ("--size", "64", "--bitrate", "20", "--open-loop", "--work", "work-b")
    made = facepipe.encode(scene.driver, out="a.fpv", size=64, bitrate=20, open_loop=True, work="work-a")
    assert run("encode", scene.driver, "-o", "b.fpv", *flags).exit_code == 0
    assert made.path.read_bytes() == Path("b.fpv").read_bytes()
    assert made.record["options"]["tokens"] == "coefficients"
    drawn = facepipe.decode("a.fpv", out="a.mp4", seconds=0.2, work="work-a")
    assert run("decode", "b.fpv", "-o", "b.mp4", "--seconds", "0.2", "--work", "work-b").exit_code == 0
    assert drawn.path.read_bytes() == Path("b.mp4").read_bytes()
    assert drawn.frames == 5


@pytest.mark.parametrize("name", TYPES)
def test_the_options_for_type_checkers_are_the_fields(name: str) -> None:
    request, typed = TYPES[name]
    positional = {one for one, field in declared(request).items() if field.option.positional}
    fields = {one: field for one, field in declared(request).items() if one not in positional | {"out"}}
    hints = get_type_hints(typed)
    assert set(hints) == set(fields)
    for one, hint in hints.items():
        assert admits(hint, fields[one]), f"{one}: {hint}"


def admits(hint: Any, field: Declared) -> bool:
    """Tell whether a hint has the type of a field, None just where the field has it, and other types that it takes."""
    arms = set(get_args(hint)) or {hint}
    if field.optional != (type(None) in arms):
        return False
    arms -= {type(None)}
    if field.several and field.type is Path:
        return arms == {*get_args(options.Source), Sequence[options.Source]}
    if field.several:
        return str in arms and len(arms) == 2
    if field.type is Path:
        return arms == set(get_args(File))
    return field.type in arms and (len(arms) == 1 or field.type is str)


def test_an_array_as_driver_is_described_by_its_shape(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"driver is an array of shape \(4, 4, 3\), expected"):
        facepipe.reenact("x.png", np.zeros((4, 4, 3), np.uint8), out=tmp_path / "x.png")  # type: ignore[arg-type]
