"""Results are published completely or not at all, and errors name cause and remedy."""

import errno
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from facepipe.engine import Stage, StageRun, Workspace, digest, disk
from facepipe.errors import (
    ExitCode,
    FacepipeError,
    PrecheckError,
    UsageError,
)
from tests.engine.repetition import JOIN, REPEAT, JoinParams, RepeatParams, decide, drafts, fails, stage_of, write


@dataclass(frozen=True)
class Weight:
    path: Path
    sha256: str


def test_a_result_is_found_again(workspace: Workspace, text: Path) -> None:
    decision = decide(workspace, text)
    assert (decision.reason, decision.done, decision.artefact) == ("new", False, None)
    made = workspace.execute(decision)
    assert made.path("repeated.txt").read_text() == "0:hello\n" * 2
    assert made.facts == {"length": 12}
    again = decide(Workspace(workspace.root), text)
    assert (again.reason, again.done, again.artefact) == ("done", True, made)
    assert drafts(workspace) == []


def test_the_record_is_complete(workspace: Workspace, text: Path) -> None:
    made = workspace.execute(decide(workspace, text))
    assert made.folder == workspace.root / "repeat" / made.folder.name[:2] / made.folder.name
    record = (made.folder / "record.json").read_text()
    content = json.loads(record)
    assert record == json.dumps(content, sort_keys=True, indent=2) + "\n"
    assert content["inputs"] == {"text": digest.DigestCache(Path("none")).digest(text)}
    assert content["outputs"]["repeated.txt"] == {"bytes": 16, "sha256": made.digest("repeated.txt")}
    assert (content["schema"], content["stage"], content["version"], content["weights"]) == (1, "repeat", 1, {})
    assert content["versions"]["facepipe"]


def test_the_record_names_the_libraries_that_were_loaded(
    workspace: Workspace, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", SimpleNamespace(__version__="5.0.0"))
    made = workspace.execute(decide(workspace, text))
    assert made.record.versions["opencv"] == "5.0.0"


def test_name_place_and_time_of_an_input_do_not_matter(workspace: Workspace, text: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    copy = tmp_path / "elsewhere" / "other.name"
    copy.write_bytes(text.read_bytes())
    os.utime(copy, (1, 1))
    assert decide(workspace, copy).fingerprint == decide(workspace, text).fingerprint


def test_deciding_changes_nothing(workspace: Workspace, text: Path) -> None:
    decide(workspace, text)
    assert not workspace.root.exists()


def test_published_files_are_read_only_and_keep_the_users_mask(workspace: Workspace, text: Path) -> None:
    mask = os.umask(0o077)
    try:
        made = workspace.execute(decide(workspace, text))
    finally:
        os.umask(mask)
    assert {path.stat().st_mode & 0o777 for path in made.folder.iterdir()} == {0o400}


def test_weights_are_passed_by_name_and_compared_by_content(workspace: Workspace, text: Path) -> None:
    seen: list[Mapping[str, Path]] = []

    def function(run: StageRun[RepeatParams]) -> Mapping[str, Any]:
        seen.append(run.weights)
        return write(run)

    stage = Stage("w", 1, ("text",), ("repeated.txt",), RepeatParams, function, ("net",))
    one, two = Weight(Path("/w/1"), "1" * 64), Weight(Path("/w/2"), "2" * 64)
    first = decide(workspace, text, stage, weights={"net": one})
    workspace.execute(first)
    assert seen == [{"net": Path("/w/1")}]
    changed = decide(workspace, text, stage, weights={"net": two}, previous=first.identity)
    assert changed.reason == "weights changed (net)"
    with pytest.raises(TypeError, match=r"weights missing \['net'\]"):
        decide(workspace, text, stage)


def test_optional_outputs_and_inputs_may_be_absent(workspace: Workspace, text: Path) -> None:
    stage = Stage("o", 1, ("text", "sound?"), ("repeated.txt", "sound.wav?"), RepeatParams, write)
    made = workspace.execute(decide(workspace, text, stage))
    assert (made.has("sound.wav"), made.has("repeated.txt")) == (False, True)
    with pytest.raises(KeyError):
        made.path("sound.wav")


def test_many_inputs_keep_their_order(workspace: Workspace, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in "ba"]
    for path in paths:
        path.write_text(path.name)
    joined = workspace.execute(workspace.decide(JOIN, {"pieces": paths}, JoinParams("+")))
    assert joined.sole_output().path.read_text() == "b+a"
    reversed_order = workspace.decide(JOIN, {"pieces": paths[::-1]}, JoinParams("+"))
    assert reversed_order.fingerprint != joined.folder.name


@pytest.mark.parametrize(
    "inputs", [{}, {"text": Path("a"), "more": Path("b")}, {"text": [Path("a")]}, {"text": "a.txt"}]
)
def test_inputs_must_match_the_declaration(workspace: Workspace, inputs: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="stage repeat: input"):
        workspace.decide(REPEAT, inputs, RepeatParams())


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "did not write repeated.txt"),
        (["repeated.txt", "more.txt"], "wrote undeclared 'more.txt'"),
        (["repeated.txt", "record.json"], "wrote undeclared 'record.json'"),
        (["folder/repeated.txt"], "did not write repeated.txt, wrote undeclared 'folder'"),
    ],
)
def test_a_stage_must_write_exactly_its_declared_outputs(
    workspace: Workspace, text: Path, names: list[str], message: str
) -> None:
    def function(run: StageRun[RepeatParams]) -> Mapping[str, Any]:
        for name in names:
            (run.output / name).parent.mkdir(exist_ok=True)
            (run.output / name).write_text("x")
        return {}

    with pytest.raises(FacepipeError, match=message) as caught:
        workspace.execute(decide(workspace, text, stage_of(function)))
    assert caught.value.exit_code is ExitCode.BUG
    assert drafts(workspace) == []
    assert decide(workspace, text).reason == "new"


def test_a_link_is_not_an_output(workspace: Workspace, text: Path) -> None:
    def function(run: StageRun[RepeatParams]) -> Mapping[str, Any]:
        (run.output / "repeated.txt").symlink_to(run.input("text"))
        return {}

    with pytest.raises(FacepipeError, match="undeclared"):
        workspace.execute(decide(workspace, text, stage_of(function)))


@pytest.mark.parametrize("facts", [{"x": float("nan")}, {"x": object()}])
def test_facts_must_be_json(workspace: Workspace, text: Path, facts: dict[str, Any]) -> None:
    with pytest.raises(FacepipeError, match="facts that are not JSON"):
        workspace.execute(decide(workspace, text, stage_of(lambda run: {**write(run), **facts})))
    assert drafts(workspace) == []


def test_the_precheck_names_folder_and_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(PrecheckError, match=r"/file' is not a folder; choose another work folder") as caught:
        Workspace(tmp_path / "file" / "work").precheck()
    assert caught.value.exit_code is ExitCode.PRECHECK
    with pytest.raises(PrecheckError, match=r"needs 1099511627776 MiB .*work.*free some space"):
        Workspace(tmp_path / "work").precheck(2**60)

    def closed(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "denied", str(tmp_path / "closed"))

    monkeypatch.setattr(Path, "mkdir", closed)
    with pytest.raises(PrecheckError, match="is not writable; change its permissions"):
        Workspace(tmp_path / "closed").precheck()


def test_force_replaces_only_results_that_differ(workspace: Workspace, text: Path) -> None:
    made = workspace.execute(decide(workspace, text))
    before = made.folder.stat().st_ino
    same = workspace.execute(decide(workspace, text, force=True))
    assert (same, made.folder.stat().st_ino) == (made, before)
    other = workspace.execute(decide(workspace, text, stage_of(write), force=True))
    assert other.folder == made.folder
    assert (other.path("repeated.txt").read_text(), drafts(workspace)) == ("x", [])


def test_a_failing_force_keeps_the_old_result(workspace: Workspace, text: Path) -> None:
    made = workspace.execute(decide(workspace, text))
    with pytest.raises(ValueError, match="bug"):
        workspace.execute(decide(workspace, text, fails(ValueError("bug")), force=True))
    assert decide(workspace, text).artefact == made


def test_a_result_published_meanwhile_is_kept(workspace: Workspace, text: Path) -> None:
    decision = decide(workspace, text)
    first = workspace.execute(decide(Workspace(workspace.root), text))
    assert workspace.execute(decision) == first

    def overtaken(run: StageRun[RepeatParams]) -> Mapping[str, Any]:
        Workspace(workspace.root).execute(workspace.decide(REPEAT, {"text": text}, RepeatParams(3)))
        return write(run, "slower")

    late = workspace.execute(workspace.decide(stage_of(overtaken), {"text": text}, RepeatParams(3)))
    assert late.path("repeated.txt").read_text() == "0:hello\n" * 3


def test_nan_is_refused_by_name(workspace: Workspace, text: Path) -> None:
    with pytest.raises(UsageError, match="seconds is nan"):
        workspace.decide(REPEAT, {"text": text}, RepeatParams(seconds=float("nan")))


def test_removing_deletes_read_only_files_but_no_link_targets(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "x").write_text("x")
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "file").write_text("x")
    disk.protect(folder / "sub" / "file")
    (folder / "link").symlink_to(tmp_path / "kept")
    disk.remove_folder(folder)
    disk.remove_folder(folder)
    assert [path.name for path in tmp_path.rglob("*")] == ["kept", "x"]
