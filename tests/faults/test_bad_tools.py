"""Tools and weights that are missing, broken, or die in the middle."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from facepipe.media import ffmpeg
from facepipe.weights import registry, store
from tests.faults.program import Scene, assert_whole, run
from tests.faults.test_bad_inputs import check

REAL = ffmpeg.find_ffmpeg()


def program(scene: Scene, script: str) -> Path:
    """A shell script in ffmpeg's place."""
    path = scene.folder / "ffmpeg"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def reenact(scene: Scene, *more: str, work: Path | None = None) -> tuple[str | Path, ...]:
    """The usual command."""
    return (
        "reenact",
        scene.portrait,
        scene.driver,
        "-o",
        scene.out,
        "--size",
        "64",
        "--work",
        work or scene.work,
        *more,
    )


#: Answers questions as ffmpeg does, and does something else where it is to encode.
ENCODES = f'case "$*" in *pipe:0*) {{}} ;; *) exec {REAL} "$@" ;; esac'

BROKEN = {
    "exits 1": ("exit 1", 3, ("ffmpeg", "ended with code 1", "FACEPIPE_FFMPEG")),
    "prints garbage": (
        r"printf '\\377\\376\\0 \\033[2J garbage\\n'",
        3,
        ("ffmpeg", "its -version output starts with", "FACEPIPE_FFMPEG"),
    ),
    "prints nothing": ("exit 0", 3, ("ffmpeg", "its -version output starts with ''", "repair it")),
    "is another program": ("echo 'avconv version 9'", 3, ("avconv version 9", "repair it")),
    "hangs": ("exec sleep 60", 3, ("ffmpeg", "did not answer within", "repair it")),
    "is a signal's victim": ("kill -SEGV $$", 3, ("ffmpeg", "ended with code -11", "repair it")),
    "knows no encoder": (
        f'case "$*" in *-encoders*) echo ;; *) exec {REAL} "$@" ;; esac',
        3,
        ("libx264", "nothing", "full ffmpeg"),
    ),
}


@pytest.mark.parametrize(("script", "code", "words"), BROKEN.values(), ids=BROKEN)
def test_broken_ffmpeg(
    script: str, code: int, words: tuple[str, ...], scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ffmpeg, "_ANSWER_SECONDS", 0.5)
    monkeypatch.setenv("FACEPIPE_FFMPEG", str(program(scene, script)))
    check(run(*reenact(scene)), scene, scene.files(), code, words)


def test_an_ffmpeg_that_is_no_program(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEPIPE_FFMPEG", str(scene.portrait))
    check(run(*reenact(scene)), scene, scene.files(), 3, ("FACEPIPE_FFMPEG", "portrait.png", "correct or unset it"))


def test_an_ffmpeg_of_another_machine(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    path = scene.write("ffmpeg", b"\x7fELF" + bytes(200))
    path.chmod(0o755)
    monkeypatch.setenv("FACEPIPE_FFMPEG", str(path))
    check(run(*reenact(scene)), scene, scene.files(), 3, ("ffmpeg", "could not be run", "FACEPIPE_FFMPEG"))


def test_no_ffmpeg(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(scene.folder))
    monkeypatch.setattr(ffmpeg, "_bundled_ffmpeg", lambda: None)
    check(run(*reenact(scene)), scene, scene.files(), 3, ("ffmpeg was not found", "imageio-ffmpeg", "FACEPIPE_FFMPEG"))


DYING = {
    "is killed at once": "kill -KILL $$",
    "is killed in the middle": "head -c 60000 > /dev/null; kill -KILL $$",
    "fails at the end": "cat > /dev/null; echo 'moov: out of luck' >&2; exit 1",
    "writes nothing and says all is well": "cat > /dev/null; exit 0",
}


@pytest.mark.parametrize("script", DYING.values(), ids=DYING)
def test_encoder_that(script: str, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    work = scene.folder / "work"
    monkeypatch.setenv("FACEPIPE_FFMPEG", str(program(scene, ENCODES.format(script))))
    outcome = run(*reenact(scene, work=work))
    assert outcome.exit_code == 4, outcome.stderr
    assert "ffmpeg" in outcome.message
    assert ".draft" not in outcome.message
    assert "a bug" not in outcome.message
    assert not scene.out.exists()
    assert_whole(work)
    monkeypatch.delenv("FACEPIPE_FFMPEG")
    again = run(*reenact(scene, work=work))
    assert again.exit_code == 0, again.stderr
    assert "make crop" not in again.stderr


def test_memory_that_runs_out_while_rendering(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    import facepipe.renderers.mesh.renderer as mesh

    def refuse(*arguments: object, **options: object) -> None:
        raise MemoryError

    monkeypatch.setattr(mesh.MeshRenderer, "frames", refuse)
    arguments = reenact(scene, "--quality", "33")
    check(run(*arguments), scene, scene.files(), 4, ("render", "ran out of memory", "smaller size"))
    monkeypatch.undo()
    assert run(*(scene.folder / one if one == scene.out else one for one in arguments)).exit_code == 0


Spoil = Callable[[Path], object]
SPOILT: dict[str, tuple[Spoil, tuple[str, ...]]] = {
    "missing": (Path.unlink, ("landmarker", "not on this machine", "reinstall")),
    "corrupted": (
        lambda path: path.write_bytes(path.read_bytes()[:-1] + b"!"),
        ("expected sha256", "got", "reinstall"),
    ),
    "truncated": (
        lambda path: path.write_bytes(path.read_bytes()[:1000]),
        ("expected sha256", "1000 bytes", "reinstall"),
    ),
    "empty": (lambda path: path.write_bytes(b""), ("expected sha256", "0 bytes", "reinstall")),
}


@pytest.mark.parametrize(("spoil", "words"), SPOILT.values(), ids=SPOILT)
def test_weight(spoil: Spoil, words: tuple[str, ...], scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = scene.folder / "weights"
    shutil.copytree(registry.embedded_folder(), folder, ignore=shutil.ignore_patterns("__pycache__"))
    spoil(folder / "landmarker.safetensors")
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(scene.folder / "mine"))
    for module in (registry, store):
        monkeypatch.setattr(module, "embedded_folder", lambda: folder)
    check(run(*reenact(scene)), scene, scene.files(), 3, ("landmarker", *words))


def test_a_registry_that_is_none(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    (scene.folder / "mine").mkdir()
    (scene.folder / "mine" / "registry.toml").write_text("weights: yes")
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(scene.folder / "mine"))
    check(run(*reenact(scene)), scene, scene.files(), 3, ("registry.toml", "not a valid weight registry", "correct it"))
