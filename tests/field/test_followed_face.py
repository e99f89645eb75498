"""The chosen person is followed and nobody else: when they leave, when they cross another, and by a picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import facepipe
from facepipe.face.cropping import box_of
from facepipe.face.track import Track
from facepipe.media.image import write_image
from facepipe.pipeline.delivery import sidecar_of
from tests.field.people import HEIGHT, WIDTH, Picture, cropped, first, remarks, second, together, write_clip
from tests.pipeline.scene import run


def across(track: Track) -> np.ndarray:
    """Return the horizontal centre of the face in each frame with one, in pixels."""
    boxes = box_of(track.points[track.valid])
    return np.asarray((boxes[:, 0] + boxes[:, 2]) / 2)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both people for the whole clip."""
    return write_clip(tmp_path_factory.mktemp("both") / "both.mp4", [together(first(), second())] * 4)


@pytest.mark.parametrize(("side", "alone"), [("left", "right"), ("right", "left")])
def test_nobody_takes_the_place_of_a_person_who_leaves(side: str, alone: str, tmp_path: Path) -> None:
    """While the chosen one is away no frame has a face; when back, they are followed."""
    people = {"left": first(), "right": second()}
    without = together(**{side: None, alone: people[alone]})
    frames = [together(**people)] * 4 + [without] * 8 + [together(**people)] * 4
    outcome, track = cropped(write_clip(tmp_path / "gone.mp4", frames), "--face", side)
    assert track.valid.tolist() == [True] * 4 + [False] * 8 + [True] * 4
    assert ((across(track) < WIDTH / 2) == (side == "left")).all()
    told = remarks(outcome)
    assert "8 of 16 frames" in told["face-missing"]
    assert f"--face {side}" in told["several-faces"]


def test_people_who_cross_keep_their_identity(tmp_path: Path) -> None:
    """One walks in front of the other. Each is followed on their own way before and after."""

    def frame(time: float) -> Picture:
        picture = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
        back, front = (WIDTH - 200) * (1 - time), (WIDTH - 200) * time
        picture[40:290, round(back) : round(back) + 200] = second()[20:270, 60:260]
        picture[40:290, round(front) : round(front) + 200] = first()[:250, 60:260]
        return picture

    times = np.linspace(0, 1, 37)
    clip = write_clip(tmp_path / "cross.mp4", [frame(time) for time in times])
    for side, way in (("left", times), ("right", 1 - times)):
        _, track = cropped(clip, "--face", side)
        apart = np.abs(times - 0.5) > 0.25
        assert track.valid[apart].all()
        middle = (WIDTH - 200) * way[track.valid] + 100
        assert np.abs(across(track) - middle).max() < 30, side
        (clip.parent / "out" / "cross.track.npz").unlink()


@pytest.mark.parametrize("who", ["first", "second"])
def test_a_picture_chooses_the_person(who: str, both: Path, tmp_path: Path) -> None:
    """A smaller and darker picture of one of them, whose name says nothing."""
    person = {"first": first, "second": second}[who]()
    small = np.asarray(Image.fromarray(person[20:260, 40:280]).resize((180, 180)).point(lambda value: int(value * 0.9)))
    reference = tmp_path / "somebody.jpg"
    write_image(reference, small)
    outcome, track = cropped(both, "--face", reference, "--overwrite")
    assert ((across(track) < WIDTH / 2) == (who == "first")).all()
    assert "reference picture" in remarks(outcome)["several-faces"]


def test_the_content_of_the_picture_counts_and_not_its_name(both: Path, tmp_path: Path) -> None:
    """The same picture elsewhere makes nothing new; another one under the old name does."""
    reference, renamed = tmp_path / "person.png", tmp_path / "renamed.png"
    write_image(reference, first())
    write_image(renamed, first())
    assert across(cropped(both, "--face", reference, "--overwrite")[1])[0] < WIDTH / 2
    assert cropped(both, "--face", renamed, "--overwrite")[0].made() == []
    write_image(reference, second())
    outcome, track = cropped(both, "--face", reference, "--overwrite")
    assert outcome.made() != []
    assert across(track)[0] > WIDTH / 2


@pytest.mark.usefixtures("preloaded_workers")
def test_rows_and_python_take_a_picture(both: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row names it relative to the current folder, Python by a path; the record holds its digest."""
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "person.png", second())
    (tmp_path / "jobs.csv").write_text(f"command,source,output,face\ncrop,{both},made/both.mp4,person.png\n")
    outcome = run("batch", tmp_path / "jobs.csv", "--jobs", "1", "--work", both.parent / "work")
    assert outcome.exit_code == 0, outcome.stderr
    out = tmp_path / "python.mp4"
    facepipe.crop(both, out=out, face=tmp_path / "person.png", work=both.parent / "work")
    record = json.loads(sidecar_of(out).read_text())
    assert record["inputs"]["face"]["path"].endswith("person.png")
    assert len(record["inputs"]["face"]["sha256"]) == 64
    assert out.read_bytes() == (tmp_path / "made" / "both.mp4").read_bytes()


@pytest.mark.parametrize(
    ("name", "told"),
    [("middle", "a picture of the person"), ("absent.jpg", "no file"), ("text.jpg", "image"), ("grey.png", "no face")],
)
def test_a_bad_choice_is_explained(name: str, told: str, both: Path, tmp_path: Path) -> None:
    """Neither a word nor a picture of a person."""
    (tmp_path / "text.jpg").write_text("not a picture")
    write_image(tmp_path / "grey.png", np.full((200, 200, 3), 128, np.uint8))
    face = name if name == "middle" else str(tmp_path / name)
    outcome = run("crop", both, "-o", tmp_path / "out.mp4", "--work", tmp_path / "work", "--face", face)
    assert outcome.exit_code not in (0, 1)
    assert told in outcome.stderr.replace("\n", " ")
