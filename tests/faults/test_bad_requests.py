"""What cannot be meant: refused with the flag or the setting, what came, and what would do."""

from __future__ import annotations

import pytest

from tests.faults.program import FRAMES, Scene, run
from tests.faults.test_bad_inputs import check

REQUESTS: dict[str, tuple[tuple[str, ...], int, tuple[str, ...]]] = {
    "negative size": (("--size", "-64"), 2, ("--size", "greater than or equal to 64")),
    "size zero": (("--size", "0"), 2, ("--size", "greater than or equal to 64")),
    "odd size": (("--size", "97"), 2, ("--size", "97", "even", "98")),
    "size of text": (("--size", "big"), 2, ("--size", "integer")),
    "size beyond bounds": (("--size", "100000"), 2, ("--size", "2048")),
    "negative quality": (("--quality", "-1"), 2, ("--quality", "greater than or equal to 0")),
    "quality beyond bounds": (("--quality", "101"), 2, ("--quality", "less than or equal to 100")),
    "unknown codec": (("--codec", "gif"), 2, ("codec", "'gif'", "h264", "h265", "vp9")),
    "unknown face": (("--face", "biggest"), 2, ("--face", "'biggest'", "largest", "left", "right")),
    "face zero": (("--face", "0"), 2, ("--face", "'0'", "from 1")),
    "face of a foreign digit": (("--face", "²"), 2, ("--face", "largest")),
    "unknown driver face": (("--driver-face", "-1"), 2, ("--driver-face", "largest")),
    "a face that is not there": (
        ("--face", "5"),
        4,
        ("portrait.png", "no face for --face 5", "faces in one frame", "Choose another"),
    ),
    "unknown policy": (("--no-face", "pray"), 2, ("--no-face", "'pray'", "fail, hold, source, cut")),
    "unknown fit": (("--fit", "loop"), 2, ("fit", "'loop'", "shortest, driver, pad")),
    "unknown renderer": (("--renderer", "nerf"), 2, ("renderer", "'nerf'", "mesh")),
    "unknown smoothing": (("--smoothing", "max"), 2, ("smoothing", "'max'", "one-euro")),
    "unknown motion": (("--motion", "wild"), 2, ("motion", "'wild'", "relative, absolute")),
    "strength beyond bounds": (("--strength", "9"), 2, ("--strength", "less than or equal to 3")),
    "strength that is no number": (("--strength", "nan"), 2, ("--strength", "3")),
    "unknown reference": (("--reference", "last"), 2, ("--reference", "'last'", "best, first")),
    "reference beyond the end": (("--reference", "999"), 2, ("999", f"{FRAMES} frames", str(FRAMES - 1))),
    "source frame of text": (("--source-frame", "first"), 2, ("--source-frame", "'first'", "best")),
    "negative source frame": (("--source-frame", "-1"), 2, ("--source-frame", "best")),
    "unknown stage": (("--force", "paint"), 2, ("--force paint", "crop", "render", "mux")),
    "unknown flag": (("--sise", "64"), 2, ("--sise", "--size")),
    "surplus argument": (("more.mp4",), 2, ("more.mp4",)),
    "too many pixels": (("--max-pixels", "50000"), 3, ("portrait.png", "300x300", "50,000", "--max-pixels 90000")),
    "no pixels": (("--max-pixels", "0"), 2, ("--max-pixels", "1")),
    "too long": (("--max-duration", "1"), 3, ("driver.mp4", "lasts 1.6 s", "1 s allowed", "--max-duration 2")),
    "result that is no video": (("-o", "out.txt"), 2, ("out.txt", ".mp4", ".png")),
    "result without a suffix": (("-o", "out"), 2, ("out", ".mp4", ".png")),
    "result in the driver's place": (("-o", "driver.mp4"), 2, ("driver.mp4", "input", "-o")),
    "result in the driver's place, by force": (("-o", "./driver.mp4", "--overwrite"), 2, ("driver.mp4", "input", "-o")),
}


@pytest.mark.parametrize(("flags", "code", "words"), REQUESTS.values(), ids=REQUESTS)
def test_request(flags: tuple[str, ...], code: int, words: tuple[str, ...], scene: Scene) -> None:
    before = scene.files()
    arguments = ("reenact", scene.portrait, scene.driver, "-o", scene.out, "--size", "64", "--work", scene.work)
    outcome = run(*arguments, *flags)
    if "Usage:" in outcome.stderr:  # of the command line's own reader, which quotes the usage first
        assert (outcome.exit_code, outcome.stdout, scene.files()) == (code, "", before)
        assert all(word in outcome.stderr for word in words), outcome.stderr
    else:
        check(outcome, scene, before, code, words)


SETTINGS = {
    "unknown setting": ("[output]\nsize = 64\n", ("facepipe.toml", "output.size", "did you mean", "size_pixels")),
    "unknown section": ("[outputs]\nquality = 1\n", ("facepipe.toml", "'outputs'", "did you mean 'output'")),
    "wrong type": ("[output]\nquality = 'best'\n", ("facepipe.toml", "output.quality", "'best'", "a whole number")),
    "out of bounds": ("[work]\nsegment_frames = 0\n", ("work.segment_frames", "0", "at least 1")),
    "no TOML": ("quality: 1\n", ("facepipe.toml", "TOML", "line 1")),
    "key outside a section": ("output = 1\n", ("facepipe.toml", "'output' is a section", "[output]")),
    "odd size": ("[output]\nsize_pixels = 65\n", ("65", "even", "66")),
}


@pytest.mark.parametrize(("text", "words"), SETTINGS.values(), ids=SETTINGS)
def test_setting(text: str, words: tuple[str, ...], scene: Scene) -> None:
    scene.write("facepipe.toml", text.encode())
    before = scene.files()
    outcome = run("reenact", scene.portrait, scene.driver, "-o", scene.out, "--work", scene.work)
    check(outcome, scene, before, 2, words)


def test_settings_that_are_no_text(scene: Scene) -> None:
    scene.write("facepipe.toml", b"\xff\xfe\x00")
    before = scene.files()
    check(run("reenact", scene.portrait, scene.driver), scene, before, 2, ("facepipe.toml", "TOML"))


def test_an_unknown_setting_of_the_environment(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEPIPE_OUTPUT_SIZE", "64")
    before = scene.files()
    words = ("FACEPIPE_OUTPUT_SIZE", "did you mean 'FACEPIPE_OUTPUT_SIZE_PIXELS'")
    check(run("reenact", scene.portrait, scene.driver), scene, before, 2, words)


EDITS: dict[str, tuple[tuple[str, ...], str, int, tuple[str, ...]]] = {
    "unknown slider": (("--grin", "1"), "", 2, ("--grin",)),
    "slider beyond bounds": (("--yaw", "500"), "", 2, ("yaw", "500", "-60", "60")),
    "slider that is no number": (("--yaw", "left"), "", 2, ("--yaw", "number")),
    "sweep of nothing": (("--sweep", "yaw"), "", 2, ("yaw", "FROM", "TO")),
    "sweep of an unknown slider": (("--sweep", "grin=0:1"), "", 2, ("grin", "yaw")),
    "unknown slider in a preset": (
        ("--preset", "preset.json"),
        '{"format": "facepipe-preset", "version": 1, "sliders": {"grin": 1}}',
        3,
        ("preset.json", "'grin'", "--list"),
    ),
    "preset that is no JSON": (("--preset", "preset.json"), "yaw=20", 3, ("preset.json",)),
    "preset of a list": (("--preset", "preset.json"), "[1]", 3, ("preset.json",)),
    "preset that is not there": (("--preset", "gone.json"), "", 3, ("gone.json",)),
}


@pytest.mark.parametrize(("flags", "preset", "code", "words"), EDITS.values(), ids=EDITS)
def test_edit(flags: tuple[str, ...], preset: str, code: int, words: tuple[str, ...], scene: Scene) -> None:
    if preset:
        scene.write("preset.json", preset.encode())
    before = scene.files()
    outcome = run("edit", scene.portrait, "-o", scene.out, "--size", "64", "--work", scene.work, *flags)
    assert (outcome.exit_code, outcome.stdout, scene.files()) == (code, "", before), outcome.stderr
    assert "Traceback" not in outcome.stderr
    for word in words:
        assert word in outcome.stderr
