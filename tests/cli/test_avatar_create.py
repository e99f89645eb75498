"""`facepipe avatar create` from the command line, with models that know no network."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage import data

import facepipe
from facepipe.avatar.compiling import open_head
from facepipe.avatar.params import head_of, load_params
from facepipe.checkpoint import save_network
from facepipe.creation import CODE_MAPPER, IMITATOR, models
from facepipe.creation.mapping import Mapper
from facepipe.creation.models import open_models
from facepipe.media.image import read_image, write_image
from facepipe.models.avatar_mapper import MapperConfig
from facepipe.models.imitator import CompactImitatorConfig, Imitator
from facepipe.pipeline import creation
from facepipe.pipeline.precheck import find_weights
from facepipe.stages import create as stage
from facepipe.train import code_mapper
from facepipe.train.code_pictures import CodePictures
from tests.creation.stub import converted, measured, stub_models, stub_weights
from tests.export.avatar_head import needs_head
from tests.pipeline.scene import Outcome, Scene, run

pytestmark = needs_head
Create = Callable[..., Outcome]


@pytest.fixture(scope="module")
def works(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of work folders; "work" keeps what the tests of this module have found in the portrait."""
    return tmp_path_factory.mktemp("works")


@pytest.fixture
def create(tmp_path: Path, works: Path, monkeypatch: pytest.MonkeyPatch) -> Create:
    """Runs the command, and expects a code."""
    (tmp_path / "weights").mkdir()
    monkeypatch.setattr(creation, "find_weights", stub_weights(tmp_path / "weights", find_weights))
    monkeypatch.setattr(models, "open_models", stub_models)

    def made(*words: str | Path, code: int = 0, work: str = "work") -> Outcome:
        done = run("avatar", "create", *words, "--work", works / work)
        assert done.exit_code == code, done.stderr
        return done

    return made


def said(done: Outcome) -> str:
    return " ".join(done.stderr.split())


def test_the_files_of_an_avatar(create: Create, scene: Scene, tmp_path: Path) -> None:
    out = tmp_path / "new" / "me"
    done = create(scene.portrait, "-o", out)
    assert done.stdout.split() == [str(out / name) for name in stage.FILES]
    vector = load_params(out / "params.json")
    assert vector.choices["hair"] == "bob"
    assert head_of(out / "params.json") == open_head().digest
    relaxed = json.loads((out / "relaxed.json").read_text())
    assert relaxed["choices"]["hair"]["crop"] == 1
    report = json.loads((out / "report.json").read_text())
    assert report["changed_by_search"] == {"hair": ["crop", "bob"]}
    assert "mouth-open" in [one["code"] for one in report["remarks"]]
    sizes = {name: read_image(out / name).shape[:2] for name in ("render.png", "target.png")}
    assert sizes == {"render.png": (256, 256), "target.png": (256, 256)}
    assert read_image(out / "sheet.png").shape[1] == 1600
    # The skin is that of the portrait's lightness, so the person was found.
    assert 0.3 < vector.colours["skin"][0] < 0.7
    record = json.loads((out / "params.json.json").read_text())
    assert set(record["files"]) == set(stage.FILES)
    facts = next(one["facts"] for one in record["stages"] if one["stage"] == "create")
    assert set(facts["part_seconds"]) >= {"mapper", "search"}
    told = run("explain", out / "params.json").stdout.strip()
    assert told == f"facepipe avatar create {scene.portrait} -o {out}"
    again = run("avatar", "render", out / "params.json", "-o", tmp_path / "again.png", "--size", "256")
    assert again.exit_code == 0
    np.testing.assert_array_equal(read_image(tmp_path / "again.png"), read_image(out / "render.png"))


def test_the_second_run_makes_nothing(create: Create, scene: Scene, tmp_path: Path) -> None:
    out = tmp_path / "me"
    first = create(scene.portrait, "-o", out, "--json", work="second")
    assert "mouth-open" in [event["code"] for event in first.events if event["event"] == "remark"]
    assert len(first.made()) == 5
    assert create(scene.portrait, "-o", out, "--json", work="second").made() == []
    # Another size of the picture repeats the last stage only.
    assert len(create(scene.portrait, "-o", tmp_path / "large", "--size", "300", "--json", work="second").made()) == 1
    assert read_image(tmp_path / "large" / "render.png").shape == (300, 300, 3)


def test_python_makes_the_same_avatar(
    create: Create, scene: Scene, tmp_path: Path, works: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    create(scene.portrait, "-o", tmp_path / "told")
    made = facepipe.avatar_create(scene.portrait, out=tmp_path / "called", work=works / "work")
    assert [path.name for path in made.paths] == list(stage.FILES)
    assert made.path.read_bytes() == (tmp_path / "told" / "params.json").read_bytes()


def test_folders_that_cannot_be_made_are_found_before_the_work(
    create: Create, scene: Scene, tmp_path: Path, works: Path
) -> None:
    (tmp_path / "file").touch()
    people = tmp_path / "people"
    people.mkdir()
    for name in ("ann.png", "bob.png"):
        (people / name).write_bytes(scene.portrait.read_bytes())
    for inputs in ([scene.portrait], [people]):
        done = create(*inputs, "-o", tmp_path / "file" / "me", code=3, work="none")
        assert "is a file, not a folder" in said(done)
        assert not (works / "none").exists()


@pytest.mark.slow
def test_the_bytes_do_not_depend_on_threads(create: Create, scene: Scene, tmp_path: Path) -> None:
    before = cv2.getNumThreads(), torch.get_num_threads()
    try:
        for count in (1, 3):
            cv2.setNumThreads(count)
            torch.set_num_threads(count)
            create(scene.portrait, "-o", tmp_path / f"by-{count}", work=f"work-{count}")
    finally:
        cv2.setNumThreads(before[0])
        torch.set_num_threads(before[1])
    for name in stage.FILES:
        assert (tmp_path / "by-1" / name).read_bytes() == (tmp_path / "by-3" / name).read_bytes(), name


def test_files_of_others_stay(create: Create, scene: Scene, tmp_path: Path, works: Path) -> None:
    out = tmp_path / "me"
    out.mkdir()
    (out / "sheet.png").write_bytes(b"mine")
    done = create(scene.portrait, "-o", out, code=3, work="none")
    assert "--overwrite" in done.stderr
    assert [path.name for path in out.iterdir()] == ["sheet.png"]
    assert (out / "sheet.png").read_bytes() == b"mine"
    assert not (works / "none").exists()
    create(scene.portrait, "-o", out, "--overwrite")
    assert (out / "sheet.png").read_bytes()[:4] == b"\x89PNG"
    done = create(scene.portrait, "-o", tmp_path / "me.json", code=2)
    assert "give a folder" in done.stderr


def test_portraits_that_cannot_be_used(create: Create, tmp_path: Path) -> None:
    cat, damaged, text = tmp_path / "cat.png", tmp_path / "damaged.png", tmp_path / "notes.txt"
    write_image(cat, data.chelsea())  # type: ignore[no-untyped-call]
    damaged.write_bytes(cat.read_bytes()[:5000])
    text.write_text("no picture", encoding="utf-8")
    for path, code, words in (
        (cat, 4, "no face was found"),
        (damaged, 3, "damaged image"),
        (text, 3, "neither an image nor a video"),
        (tmp_path / "none.png", 3, "no such file"),
    ):
        done = create(path, "-o", tmp_path / "out", code=code)
        assert words in said(done)
        assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_several_portraits(create: Create, scene: Scene, tmp_path: Path) -> None:
    folder = tmp_path / "people"
    folder.mkdir()
    picture = read_image(scene.portrait)
    write_image(folder / "ann.png", picture)
    write_image(folder / "cat.png", data.chelsea())  # type: ignore[no-untyped-call]
    pair = np.concatenate([picture, picture[:, ::-1]], axis=1)
    write_image(folder / "pair.png", pair)
    done = create(folder, "-o", tmp_path / "out", code=4)
    assert "1 of 3 items failed" in said(done)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["ann", "pair"]
    assert all((tmp_path / "out" / name / "params.json").is_file() for name in ("ann", "pair"))
    codes = [one["code"] for one in json.loads((tmp_path / "out/pair/report.json").read_text())["remarks"]]
    assert "several-faces" in codes
    other = create(folder / "pair.png", "-o", tmp_path / "right", "--face", "right", "--json")
    (note,) = [event for event in other.events if event.get("code") == "several-faces"]
    assert "number 2 of 2" in note["message"]
    mine = tmp_path / "mine.png"
    write_image(mine, pair)
    refused = create(folder, "-o", tmp_path / "no", "--stylized", mine, code=2)
    assert "one portrait" in said(refused)


@pytest.mark.slow
def test_a_frame_of_a_video(create: Create, scene: Scene, tmp_path: Path) -> None:
    create(scene.driver, "-o", tmp_path / "best")
    done = create(scene.driver, "-o", tmp_path / "last", "--source-frame", "19", "--json")
    (cropped, *_) = json.loads((tmp_path / "last/params.json.json").read_text())["stages"]
    assert cropped["facts"]["frame"] == 19
    assert load_params(tmp_path / "last/params.json").choices["hair"] == "bob"
    assert done.made()


def test_a_stylised_picture(create: Create, scene: Scene, tmp_path: Path) -> None:
    mine = tmp_path / "mine.png"
    write_image(mine, np.full((600, 640, 3), (20, 180, 40), np.uint8))
    create(scene.portrait, "-o", tmp_path / "out", "--stylized", mine)
    target = read_image(tmp_path / "out" / "target.png")
    assert (np.abs(target.astype(int) - (20, 180, 40)).max(axis=-1) < 3).mean() > 0.2
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["models"]["stylizer"] == "the user's own"
    record = json.loads((tmp_path / "out" / "params.json.json").read_text())
    assert record["inputs"]["stylized"]["path"] == str(mine)
    write_image(mine, np.zeros((300, 300, 3), np.uint8))
    done = create(scene.portrait, "-o", tmp_path / "no", "--stylized", mine, code=3)
    assert "must show the whole portrait" in said(done)
    done = create(scene.portrait, "-o", tmp_path / "no", "--stylized", scene.driver, code=3)
    assert "expected a picture for --stylized" in said(done)
    assert not (tmp_path / "no").exists()


def test_a_code(create: Create, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, wrong = tmp_path / "code.npy", tmp_path / "wrong.npy"
    np.save(code, np.zeros((1, 18, 512), np.float32))
    np.save(wrong, np.zeros((14, 512), np.float32))
    done = create(scene.portrait, "-o", tmp_path / "no", "--wplus", code, code=3)
    assert "needs a mapper of W+ codes" in said(done)
    monkeypatch.setattr(creation, "registered", lambda: {CODE_MAPPER: None})
    done = create(scene.portrait, "-o", tmp_path / "no", "--wplus", wrong, code=3)
    assert "expected finite floats (18, 512)" in said(done)
    done = create(scene.portrait, "-o", tmp_path / "no", "--wplus", scene.portrait, code=3)
    assert "expected an .npy" in said(done)
    create(scene.portrait, "-o", tmp_path / "me", "--wplus", code)
    assert load_params(tmp_path / "me" / "params.json").colours["skin"][0] == 0
    assert json.loads((tmp_path / "me" / "report.json").read_text())["models"]["mapper"] == "of W+ codes"


def test_a_code_with_a_trained_mapper(
    create: Create, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From codes with pictures by `facepipe train code-mapper` to an avatar of that mapper."""
    sizes = MapperConfig(code_mapper.config().continuous, code_mapper.config().options, 18, 512, 8, portrait=False)
    monkeypatch.setattr(code_mapper, "config", lambda: sizes)
    random = np.random.default_rng(5)
    codes = random.normal(size=(6, 18, 512)).astype(np.float32)
    pictures = random.integers(0, 256, (6, 16, 16, 3)).astype(np.uint8)
    CodePictures(codes, pictures, np.full((6, 16, 16), 255, np.uint8)).save(tmp_path / "codes.npz")
    imitator, code = tmp_path / "imitator.safetensors", tmp_path / "code.npy"
    tiny = CompactImitatorConfig(hidden=(6,), style=5, widths=(4, 6), enlargement=2)
    save_network(Imitator(tiny), imitator, kind=IMITATOR)
    np.save(code, codes[0])
    run_folder = tmp_path / "run"
    words: list[str | Path] = [
        "--codes",
        tmp_path / "codes.npz",
        "--imitator",
        imitator,
        "--out",
        run_folder,
        "--steps",
        "1",
    ]
    assert run("train", "code-mapper", *words).exit_code == 0
    trained = {CODE_MAPPER: run_folder / f"{CODE_MAPPER}.safetensors", IMITATOR: imitator}
    opened = open_models(trained)
    monkeypatch.setattr(models, "open_models", lambda _weights: replace(opened, convert=converted, measure=measured))
    monkeypatch.setattr(creation, "registered", lambda: {CODE_MAPPER: None})
    create(scene.portrait, "-o", tmp_path / "me", "--wplus", code)
    mapped = Mapper(trained[CODE_MAPPER]).map_code(codes[0]).relaxed
    relaxed = json.loads((tmp_path / "me" / "relaxed.json").read_text())
    assert list(relaxed["sliders"].values()) == mapped.continuous[: len(relaxed["sliders"])].tolist()


def test_a_dry_run_writes_nothing(create: Create, scene: Scene, tmp_path: Path) -> None:
    done = create(scene.portrait, "-o", tmp_path / "me", "--dry-run")
    assert "create" in done.stderr
    assert not (tmp_path / "me").exists()
