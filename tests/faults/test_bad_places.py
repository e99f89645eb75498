"""Places that cannot take a result or the work files, or already hold something."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.program import ROOT, Scene, assert_whole, finish, run, start
from tests.faults.test_bad_inputs import check
from tests.users import open_to_all

ROOT_USER = sys.platform == "linux" and os.geteuid() == 0
needs_root = pytest.mark.skipif(not ROOT_USER, reason="mounting a disk takes root")


@pytest.fixture
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A disk of 400 KiB."""
    folder = tmp_path_factory.mktemp("disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no disk could be mounted: {mounted.stderr.decode()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def fill(disk: Path, but_bytes: int) -> Path:
    """Fill a disk up to a rest."""
    free = os.statvfs(disk)
    path = disk / "full"
    path.write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - but_bytes)))
    return path


def reenact(scene: Scene, **changes: Path) -> tuple[str | Path, ...]:
    """The usual command with other places."""
    places = {"out": scene.out, "work": scene.work, **changes}
    return ("reenact", scene.portrait, scene.driver, "-o", places["out"], "--size", "64", "--work", places["work"])


@needs_root
@pytest.mark.parametrize("free_kib", [0, 16, 60, 120])
def test_full_disk_of_the_work_folder(free_kib: int, scene: Scene, disk: Path) -> None:
    before, ballast = scene.files(), fill(disk, free_kib * 1024)
    outcome = run(*reenact(scene, work=disk / "work"))
    assert outcome.exit_code in (3, 4), outcome.stderr
    check(outcome, scene, before, outcome.exit_code, ("full", "free", "--work"))
    assert_whole(disk / "work")
    ballast.unlink()
    subprocess.run(["mount", "-o", "remount,size=20m", disk], check=True)
    assert run(*reenact(scene, work=disk / "work")).exit_code == 0


@needs_root
def test_full_disk_of_the_result(scene: Scene, disk: Path) -> None:
    ballast = fill(disk, 8 * 1024)
    outcome = run(*reenact(scene, out=disk / "out.mp4"))
    check(outcome, scene, scene.files(), 4, ("out.mp4", "the disk is full", "free some space", "-o"))
    assert [path.name for path in disk.iterdir() if path.suffix != ".json"] == ["full"]
    ballast.unlink()
    assert run(*reenact(scene, out=disk / "out.mp4")).exit_code == 0


@needs_root
def test_read_only_disks(scene: Scene, disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    before = scene.files()
    check(run(*reenact(scene, out=disk / "out.mp4")), scene, before, 3, ("out.mp4", "read-only", "-o"))
    check(run(*reenact(scene, work=disk / "work")), scene, before, 3, ("work", "read-only", "work folder"))


@needs_root
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="takes setpriv")
def test_files_of_somebody_else(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> None:
    """As a user without rights, in a process of its own: root may read and write everything."""
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    if subprocess.run([*nobody, sys.executable, "-c", "import facepipe.cli"], cwd=ROOT, check=False).returncode:
        pytest.skip("another user cannot run this Python")
    open_to_all(scene.folder)
    free = tmp_path_factory.mktemp("free")
    os.chown(free, 65534, 65534)
    scene.driver.chmod(0o600)
    unreadable = finish(start(*reenact(scene, out=free / "out.mp4", work=free / "work"), before=nobody))
    assert unreadable.exit_code == 3, unreadable.stderr
    assert "driver.mp4: cannot be read (Permission denied); change its permissions" in unreadable.stderr
    scene.driver.chmod(0o644)
    closed = finish(start(*reenact(scene, work=scene.folder / "work"), before=nobody))
    assert closed.exit_code == 3
    assert "out.mp4: its folder is read-only; choose another with -o" in closed.stderr
    assert "is not writable; change its permissions or choose another work folder" in closed.stderr
    assert list(free.iterdir()) == []  # not even the work folder


@needs_root
def test_missing_folder_on_a_read_only_disk(scene: Scene, disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    outcome = run(*reenact(scene, out=disk / "no" / "out.mp4"))
    check(outcome, scene, scene.files(), 3, ("out.mp4", "read-only", "-o"))


def test_a_file_for_a_folder(scene: Scene) -> None:
    before = scene.files()
    check(
        run(*reenact(scene, out=scene.portrait / "out.mp4")), scene, before, 3, ("portrait.png", "not a folder", "-o")
    )
    check(run(*reenact(scene, work=scene.portrait)), scene, before, 3, ("portrait.png", "not a folder", "work folder"))


def test_a_folder_for_a_file(scene: Scene) -> None:
    scene.out.mkdir()
    check(run(*reenact(scene)), scene, scene.files(), 3, ("out.mp4", "is a folder", "-o"))


def test_a_pipe_for_a_file(scene: Scene) -> None:
    os.mkfifo(scene.out)
    check(run(*reenact(scene)), scene, scene.files(), 3, ("out.mp4", "-o"))
    assert stat.S_ISFIFO(scene.out.stat().st_mode)


def test_a_name_that_is_too_long(scene: Scene) -> None:
    outcome = run(*reenact(scene, out=scene.folder / ("n" * 250 + ".mp4")))
    check(outcome, scene, scene.files(), 3, ("too long", "-o"))


@pytest.mark.parametrize("name", ["out.mp4", "out.mp4.json"])
def test_somebody_elses_file_stays(name: str, scene: Scene) -> None:
    precious = scene.write(name, b"my wedding")
    before = scene.files()
    check(run(*reenact(scene)), scene, before, 3, (name, "not written by facepipe", "-o", "--overwrite"))
    assert precious.read_bytes() == b"my wedding"
    assert run(*reenact(scene), "--overwrite").exit_code == 0
    assert scene.out.stat().st_size > 1000


def test_an_own_result_is_replaced_and_a_changed_one_is_not(scene: Scene) -> None:
    assert run(*reenact(scene)).exit_code == 0
    first = scene.out.read_bytes()
    assert run(*reenact(scene), "--quality", "10").exit_code == 0
    assert scene.out.read_bytes() != first
    scene.out.write_bytes(first + b"edited by hand")
    check(run(*reenact(scene)), scene, scene.files(), 3, ("out.mp4", "not written by facepipe", "--overwrite"))


def test_a_record_of_another_version(scene: Scene) -> None:
    work = scene.folder / "work"
    assert run(*reenact(scene, work=work)).exit_code == 0
    path = next(work.glob("render/*/*/record.json"))
    record = json.loads(path.read_text())
    path.chmod(0o644)
    path.write_text(json.dumps({**record, "schema": 99}))
    before = {**{path: path.read_bytes() for path in scene.folder.rglob("*.mp4")}}
    outcome = run(*reenact(scene, work=work))
    assert outcome.exit_code == 3
    for word in ("another version of facepipe", "record schema 99, this version reads 1", "facepipe clean"):
        assert word in outcome.message
    assert before == {path: path.read_bytes() for path in scene.folder.rglob("*.mp4")}


@pytest.fixture(scope="module")
def finished(model_scene: Scene, short_driver: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work folder of a finished job, to copy."""
    work = tmp_path_factory.mktemp("finished") / "work"
    outcome = run(*reenact(replace(model_scene, driver=short_driver), work=work, out=work.parent / "out.mp4"))
    assert outcome.exit_code == 0, outcome.stderr
    return work


@pytest.mark.parametrize("damage", ["record gone", "record torn", "output gone", "output short", "record of a list"])
def test_a_damaged_work_folder_heals(damage: str, scene: Scene, short_driver: Path, finished: Path) -> None:
    work = scene.folder / "work"
    shutil.copytree(finished, work)
    expected = finished.with_name("out.mp4").read_bytes()
    for record in work.glob("*/*/*/record.json"):
        output = next(path for path in record.parent.iterdir() if path != record)
        path = output if damage.startswith("output") else record
        path.chmod(0o644)
        content = path.read_bytes()
        path.unlink() if damage.endswith("gone") else path.write_bytes(b"[]" if "list" in damage else content[:-20])
    outcome = run(*reenact(replace(scene, driver=short_driver), work=work))
    assert outcome.exit_code == 0, outcome.stderr
    assert scene.out.read_bytes() == expected
    assert "(incomplete)" in outcome.stderr
    assert_whole(work)
