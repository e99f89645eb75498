"""Face finding in pictures, choice of one face, and boxes of detections."""

from __future__ import annotations

import numpy as np
import pytest
from torch import Tensor, full, nn

from facepipe.face.cropping import box_of
from facepipe.face.detector import OVERLAP_CEILING, Detection, overlap, suppress
from facepipe.face.finding import Face, Finder, choose_face
from facepipe.face.landmarker import Located
from facepipe.models.detector import FaceMap
from tests.face.faces import networks
from tests.face.world import Figure, Picture, World

THREE = [Figure(60, looks=1), Figure(250, size=20, looks=2), Figure(150, size=35, looks=3)]


def found_in(*figures: Figure) -> list[Face]:
    world = World([list(figures)])
    return Finder(world, world).find(world.draw(0))


def slow_overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Compute the intersection over union by counting pixels."""
    masks = np.zeros((2, 60, 60), bool)
    for mask, (left, top, right, bottom) in zip(masks, (first, second), strict=True):
        mask[top:bottom, left:right] = True
    return float((masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum())


def test_overlap_equals_a_count_of_pixels() -> None:
    """Intersection over union of random boxes, apart, nested and crossing ones among them."""
    corners = np.random.default_rng(0).integers(0, 59, (200, 2, 2, 2))
    boxes = np.concatenate([corners.min(2), corners.max(2) + 1], axis=-1)
    for first, second in boxes:
        assert overlap(first, second) == pytest.approx(slow_overlap(first, second))
    assert min(overlap(*pair) for pair in boxes) == 0


def test_only_the_best_of_overlapping_detections_stay() -> None:
    """Kept detections do not overlap; each dropped one overlaps a better kept one; the best comes first."""
    random = np.random.default_rng(1)
    corners = random.uniform(0, 200, (60, 2))
    boxes = np.concatenate([corners, corners + random.uniform(20, 60, (60, 2))], axis=1).astype(np.float32)
    found = [Detection(box, float(score)) for box, score in zip(boxes, random.random(60), strict=True)]
    kept = suppress(found)
    assert [one.score for one in kept] == sorted((one.score for one in kept), reverse=True)
    for index, one in enumerate(kept):
        assert all(overlap(one.box, other.box) < OVERLAP_CEILING for other in kept[:index])
    scores = {one.score for one in kept}
    for one in found:
        better = [other for other in kept if other.score > one.score and overlap(one.box, other.box) >= OVERLAP_CEILING]
        assert (one.score in scores) != bool(better)


class OnePeak(nn.Module):
    """Returns a map with a face at one cell, whose box extends a given number of cells in each direction."""

    def forward(self, images: Tensor) -> FaceMap:
        rows, columns = images.shape[2] // 8, images.shape[3] // 8
        logit, box = full((1, rows, columns), -9.0), full((1, 4, rows, columns), 0.0)
        logit[0, 4, 10] = 3
        box[0, :, 4, 10] = Tensor([2.0, 2.5, 3.0, 3.5]).log()
        return FaceMap(logit, box)


@pytest.mark.parametrize(("width", "scale"), [(256, 1.0), (512, 0.5)])
def test_a_cell_of_the_map_becomes_a_box_in_the_picture(
    width: int, scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cells are 8 pixels of the network's input, boxes start at the cell's centre and are scaled to the picture."""
    detector = networks()[0]
    monkeypatch.setattr(detector, "net", OnePeak())
    found = detector._look(np.zeros((width * 3 // 4, width, 3), np.uint8), scale, (24, 10000))
    assert len(found) == 1
    np.testing.assert_allclose(found[0].box * scale, np.array([8.5, 2.0, 13.5, 8.0]) * 8, rtol=1e-5)
    assert found[0].score == pytest.approx(1 / (1 + np.exp(-3)))
    assert not detector._look(np.zeros((192, 256, 3), np.uint8), 1.0, (24, 40)), "a face of 48 pixels"


def test_all_faces_are_found_where_they_are() -> None:
    """Each face is found once, with the box of its points, the most confident first."""
    found = found_in(*THREE)
    assert len(found) == 3
    for figure in THREE:
        np.testing.assert_allclose(
            min((one.box for one in found), key=lambda box: abs(box - box_of(figure.points)).sum()),
            box_of(figure.points),
        )
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


def test_proposals_without_a_face_and_duplicates_are_dropped() -> None:
    """The landmarker decides: two boxes of one face become one, and a box without a face is dropped."""

    class Eager(World):
        def detect(self, picture: Picture) -> list[Detection]:
            return [
                Detection(box, 0.9)
                for one in self.seen(picture)
                for box in (box_of(one.points), box_of(one.points) + 5, box_of(one.points) + 100)
            ]

    world = Eager([[Figure(60)]])
    assert len(Finder(world, world).find(world.draw(0))) == 1


def test_an_empty_picture_does_not_run_the_landmarker() -> None:
    """The landmarker does not run without proposals."""

    class Blind(World):
        def locate(self, *_: object) -> Located:
            raise AssertionError("the landmarker ran")

    world = Blind([[]])
    assert Finder(world, world).find(world.draw(0)) == []


@pytest.mark.parametrize(
    ("rule", "x"), [("largest", 150), ("left", 60), ("right", 250), ("1", 60), ("2", 150), ("3", 250)]
)
def test_the_rule_chooses(rule: str, x: float) -> None:
    """Faces are chosen by size, by side, or by number from the left."""
    chosen = choose_face(found_in(*THREE), rule)
    assert chosen is not None
    assert chosen.box[[0, 2]].mean() == pytest.approx(x, abs=3)


def test_a_number_beyond_the_last_face_chooses_none() -> None:
    """Any rule returns None without a face."""
    assert choose_face(found_in(*THREE), "4") is None
    assert choose_face([], "largest") is None
