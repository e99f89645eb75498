"""The space `bfm` with the landmarker face-alignment: its own 68 points align the face."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from facepipe import weights
from facepipe.face import fan
from facepipe.face.bfm.alignment import align
from facepipe.face.cropping import ALIGNED_SIDE_RATIO, SquareCrop, transform_points
from facepipe.face.track import load_track
from facepipe.media.image import read_image
from tests.face.faces import face_model, networks
from tests.pipeline.official_weights import add_deep3d
from tests.pipeline.scene import Scene, bfm_of


class Package:
    """What face-alignment is to facepipe: the 68 points of our landmarker, eyes further apart than on any mesh."""

    def __init__(self) -> None:
        self.points_found: list[NDArray[np.float64]] = []

    def get_landmarks_from_image(self, picture: NDArray[np.uint8], **_: object) -> tuple[Any, Any, None]:
        middle, side = (fan.VIEW_PIXELS - 1) / 2, ALIGNED_SIDE_RATIO * fan.VIEW_PIXELS / fan.VIEW_RATIO
        located = networks()[1].locate([picture], [SquareCrop(middle, middle, side)])
        points = located.points[0][face_model().sixty_eight].astype(float)
        points[36:42, 0] -= 9
        points[42:48, 0] += 9
        self.points_found.append(points)
        return [points], [np.full(68, fan.SURE_PEAK * located.score[0])], None


@pytest.fixture
def package(mine: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """The package, as if it were installed and its weights added."""
    made = Package()
    monkeypatch.setattr(fan, "_constructed", lambda *_: made)
    monkeypatch.setattr("facepipe.pipeline.perception.find_spec", lambda _: True)
    for name in ("fan-3d", "fan-depth"):
        save_file({name: np.zeros(1)}, mine / f"{name}.safetensors")
        weights.add(mine / f"{name}.safetensors", name=name, licence="", source="invented")
    return made


def test_the_68_points_of_the_package_are_kept(scene: Scene, package: Package) -> None:
    """In pixels of the picture, from where they were seen, through a turned crop too."""
    files = (weights.find(name).path for name in ("fan-3d", "fan-depth", "face-model"))
    picture, crop = read_image(scene.portrait), SquareCrop(170.0, 120.0, 170.0, 0.2)
    located = fan.FanLandmarker(*files).locate([picture, picture], [crop, crop])
    assert located.sixty_eight is not None
    assert located.sixty_eight.shape == (2, 68, 3)
    view = SquareCrop(crop.center_x, crop.center_y, fan.VIEW_RATIO * crop.side / ALIGNED_SIDE_RATIO, 0.2)
    seen = transform_points(located.sixty_eight.astype(float)[..., :2], view.matrix(fan.VIEW_PIXELS))
    np.testing.assert_allclose(seen, np.stack(package.points_found)[..., :2], atol=0.01)


@pytest.mark.parametrize("media", ["portrait", "driver"])
def test_the_face_is_aligned_by_the_packages_own_points(media: str, scene: Scene, mine: Path, package: Package) -> None:
    """And not by those of our mesh, which was laid on them."""
    add_deep3d(mine)
    given: Path = getattr(scene, media)
    flags = ("--landmarker", "face-alignment")
    scene.run("coefficients", given, "-o", mine / "a.npz", "--space", "bfm", *flags)
    scene.run("crop", given, "-o", mine / f"a{'.png' if media == 'portrait' else '.mp4'}", *flags)
    found, file = bfm_of(mine / "a.npz"), load_track(mine / "a.track.npz")
    assert file.track.sixty_eight is not None
    own, mesh = (
        np.array([align(one, (256, 256)).triple for one in transform_points(rows.astype(float), file.crop.matrix(256))])
        for rows in (file.track.sixty_eight[..., :2], file.track.points[:, face_model().sixty_eight, :2])
    )
    np.testing.assert_allclose(found.crops, own, rtol=1e-5)
    assert (np.abs(mesh[:, 0] / own[:, 0] - 1) > 0.005).all()
