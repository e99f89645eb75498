"""A face put back: far from it the picture is the source's to the byte, and no seam shows."""

from pathlib import Path

import numpy as np
import pytest

from facepipe.face.cropping import SquareCrop, sample
from facepipe.media.decode import decode_frames
from facepipe.media.image import read_image
from facepipe.rendering.compositing import Paste
from tests.pipeline.scene import Scene


def window_of(path: Path, work: Path) -> tuple[int, int, int, int]:
    """Return (left, top, right, bottom) of the crop in the picture, as the work folder has it."""
    import json

    from facepipe.face.track import load_track

    stages = json.loads(Path(f"{path}.json").read_text())["stages"]
    fingerprint = next(stage["fingerprint"] for stage in stages if stage["stage"] == "crop")
    crop = load_track(work / "crop" / fingerprint[:2] / fingerprint / "track.npz").crop
    low, high = crop.side / 2, crop.side / 2
    return (
        max(0, int(np.floor(crop.center_x - low))),
        max(0, int(np.floor(crop.center_y - low))),
        int(np.ceil(crop.center_x + high)) + 1,
        int(np.ceil(crop.center_y + high)) + 1,
    )


@pytest.mark.parametrize("kind", ["picture", "video"])
def test_far_from_the_face_nothing_changes_and_no_seam_shows(scene: Scene, tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out.png"
    source = scene.portrait if kind == "picture" else scene.driver
    scene.run("edit", source, "--yaw", "15", "--roll", "5", "--source-frame", "4", "--paste-back", "-o", out)
    result = read_image(out).astype(int)
    full = read_image(source) if kind == "picture" else list(decode_frames(source))[4]
    assert result.shape == full.shape
    left, top, right, bottom = window_of(out, scene.work)
    outside = np.ones(full.shape[:2], bool)
    outside[top:bottom, left:right] = False
    np.testing.assert_array_equal(result[outside], full[outside])
    assert np.abs(result - full)[top:bottom, left:right].mean() > 2
    for across, edges, length in ((1, (left, right), full.shape[1]), (0, (top, bottom), full.shape[0])):
        for edge in (edge for edge in edges if 2 <= edge <= length - 2):
            near = [np.take(picture, range(edge - 2, edge + 2), axis=across) for picture in (result, full.astype(int))]
            steps = [np.abs(np.diff(part, axis=across)).mean() for part in near]
            assert steps[0] <= steps[1] + 1.0


def test_an_unchanged_crop_pastes_back_as_it_was() -> None:
    rows, columns = np.mgrid[:120, :160]
    full = np.stack([rows, columns, rows + columns], axis=-1).astype(np.uint8)
    crop = SquareCrop(80.0, 60.0, 64.0)
    pasted = Paste(full, crop, 128).into_full(sample(full, crop, 128))
    assert np.abs(pasted.astype(int) - full).max() <= 2


def test_a_crop_that_reaches_over_the_border_is_pasted_as_far_as_there_is_a_picture() -> None:
    full = np.full((60, 80, 3), 100, np.uint8)
    pasted = Paste(full, SquareCrop(5.0, 5.0, 40.0), 64).into_full(np.full((64, 64, 3), 200, np.uint8))
    assert pasted.shape == full.shape
    assert pasted[2, 2, 0] > 150
    assert (pasted[30:, 30:] == 100).all()
