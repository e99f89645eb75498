"""The rasteriser against a slow one that sends a ray through each sample."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from facepipe.avatar.camera import Camera, framed
from facepipe.avatar.light import linear
from facepipe.avatar.mesh import PARTS, Material, Part
from facepipe.avatar.picture import Picture
from facepipe.avatar.rasteriser import render
from tests.avatar.slow_raster import CAMERA, MATT, part, quad, seen, soup

GREY = (0.4, 0.5, 0.6)


def same(first: Picture, second: Picture) -> bool:
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in Picture.__annotations__)


def check(parts: list[Part], camera: Camera, height: int, width: int) -> None:
    """Compare part numbers, depth, normals and alpha, except where the reference is in doubt."""
    expected, picture = seen(parts, camera, height, width), render(parts, camera, (height, width))
    sure, compared = ~expected.doubtful.any(-1), 0
    for row, column in np.argwhere(sure):
        numbers, depths = expected.parts[row, column], expected.depth[row, column]
        assert picture.colour[row, column, 3] == np.floor((numbers > 0).mean() * 255 + 0.5)
        counts = {number: (numbers == number).sum() for number in numbers}
        best = [number for number in counts if number and counts[number] == max(counts.values())]
        assert picture.parts[row, column] in (best or [0])
        if best:
            chosen = numbers == picture.parts[row, column]
            # Depth is that of the middle of the samples, and not linear on steep surfaces.
            spread = np.ptp(depths[chosen])
            assert picture.depth[row, column] == pytest.approx(depths[chosen].mean(), rel=1e-3, abs=0.2 * spread)
            normals = expected.normals[row, column][chosen]
            if (normals @ normals[0]).min() > 0.99:
                assert picture.normals[row, column] @ normals[0] > 0.97
                compared += 1
        else:
            assert picture.depth[row, column] == np.inf
            assert not picture.normals[row, column].any()
    assert compared > 0 or sure.sum() < 10


@pytest.mark.parametrize(("seed", "double_sided"), [(0, False), (1, True)])
def test_pictures_agree_with_rays(seed: int, double_sided: bool) -> None:
    check(soup(seed, 5, double_sided=double_sided), CAMERA, 13, 13)


@pytest.mark.parametrize(("height", "width"), [(2, 1), (1, 9), (13, 5), (5, 12)])
def test_sizes(height: int, width: int) -> None:
    check([quad(0.0, half=0.9), *soup(5, 3)], CAMERA, height, width)


def test_one_pixel() -> None:
    picture = render([quad(0.0)], CAMERA, (1, 1), GREY)
    assert picture.colour.shape == (1, 1, 3)
    assert picture.parts == PARTS.index("lashes") + 1
    assert picture.depth == pytest.approx(CAMERA.distance)


def test_turned_cameras() -> None:
    camera = replace(CAMERA, yaw_degrees=35.0, pitch_degrees=-20.0, roll_degrees=50.0, target=(0.2, -0.1, 0.3))
    check(soup(8, 4), camera, 11, 11)


def test_normals_are_smooth() -> None:
    """On a ball of triangles they are nearly those of the ball."""
    rows, columns = np.meshgrid(np.linspace(0.05, np.pi - 0.05, 16), np.arange(24) * np.pi / 12, indexing="ij")
    ball = np.stack([np.sin(rows) * np.cos(columns), np.cos(rows), np.sin(rows) * np.sin(columns)], -1)
    index = np.arange(16 * 24).reshape(16, 24)
    ahead = np.roll(index, -1, 1)
    triangles = [(index[:-1], index[1:], ahead[1:]), (index[:-1], ahead[1:], ahead[:-1])]
    corners = np.concatenate([np.stack(three, -1).reshape(-1, 3) for three in triangles])[:, ::-1]
    picture = render([part(ball, corners, material=Material(double_sided=False))], CAMERA, (48, 48))
    focal = CAMERA.focal_pixels(48, 48)
    y, x = (np.indices((48, 48)) + 0.5 - 24) / focal
    points = np.stack([x * picture.depth, -y * picture.depth, CAMERA.distance - picture.depth], -1)
    inside = (picture.parts > 0) & (picture.normals[..., 2] > 0.3)
    assert inside.sum() > 200
    assert (picture.normals[inside] * points[inside]).sum(1).min() > 0.96


def test_triangles_that_reach_behind_the_camera() -> None:
    check(soup(11, 5, depth=9.0), CAMERA, 11, 11)
    behind = part([(-1, -1, 6), (1, -1, 6), (0, 1, 6)], [0, 1, 2])
    assert not render([behind], CAMERA, (8, 8)).parts.any()


def test_huge_triangles_cover_the_picture() -> None:
    floor = part([(-1e6, -1e6, -3), (1e6, -1e6, -3), (0, 1e6, -3)], [0, 1, 2])
    picture = render([floor], CAMERA, (16, 16))
    assert (picture.parts == PARTS.index("lashes") + 1).all()
    np.testing.assert_allclose(picture.depth, 8.0, rtol=1e-5)


def test_yaw_turns_the_nose_to_the_right_and_pitch_down() -> None:
    nose = part([(-0.1, -0.1, 1), (0.1, -0.1, 1), (0, 0.1, 1)], [0, 1, 2])
    _, right = np.argwhere(render([nose], replace(CAMERA, yaw_degrees=30.0), (32, 32)).parts).mean(0)
    down, _ = np.argwhere(render([nose], replace(CAMERA, pitch_degrees=30.0), (32, 32)).parts).mean(0)
    assert right > 18
    assert down > 18
    ear = replace(nose, vertices=nose.vertices + np.array((1.5, 0, -1), np.float32))
    up, _ = np.argwhere(render([ear], replace(CAMERA, roll_degrees=30.0), (32, 32)).parts).mean(0)
    assert up < 14


def test_back_faces_are_culled_unless_double_sided() -> None:
    turned = part([(-1, -1, 0), (1, -1, 0), (0, 1, 0)], [0, 2, 1], material=Material(double_sided=False))
    assert not render([turned], CAMERA, (16, 16)).parts.any()
    picture = render([replace(turned, material=MATT)], CAMERA, (16, 16))
    assert picture.parts.any()
    np.testing.assert_allclose(picture.normals[picture.parts > 0], [(0, 0, 1)] * (picture.parts > 0).sum(), atol=1e-6)


def test_one_wrong_winding_leaves_a_hole_and_harms_nothing_else() -> None:
    good = quad(0.0, half=1.0, material=Material(double_sided=False))
    bad = replace(good, triangles=np.array([(0, 1, 2), (0, 3, 2)], np.int32))
    whole, holed = render([good], CAMERA, (16, 16), GREY), render([bad], CAMERA, (16, 16), GREY)
    assert 0 < (holed.parts > 0).sum() < (whole.parts > 0).sum()
    assert not (holed.parts[whole.parts == 0]).any()


def test_degenerate_triangles_are_not_drawn() -> None:
    good = quad(0.0, half=1.0)
    points = np.concatenate(
        [good.vertices, np.array([(2, 2, 0), (2, 2, 0), (0, 0, 1), (0.5, 0.5, 1), (1, 1, 1)], np.float32)]
    )
    more = np.concatenate([good.triangles, np.array([(4, 4, 4), (4, 5, 0), (6, 7, 8)], np.int32)])
    worse = part(points, more)
    assert same(render([good], CAMERA, (16, 16), GREY), render([worse], CAMERA, (16, 16), GREY))


def test_empty_scenes() -> None:
    for parts in ([], [part([], [])]):
        picture = render(parts, CAMERA, (5, 7), (1.0, 0.5, 0.0))
        np.testing.assert_array_equal(picture.colour, np.broadcast_to(np.array([255, 128, 0], np.uint8), (5, 7, 3)))
        assert not picture.parts.any()
        assert np.isinf(picture.depth).all()
        assert not picture.normals.any()
        assert not render(parts, CAMERA, (5, 7)).colour.any()


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_change_no_byte(threads: int) -> None:
    lens = quad(2.0, half=0.5, material=Material(opacity=0.4), name="glasses")
    parts = [*soup(3, 20), lens]
    with ThreadPoolExecutor(threads) as pool:
        assert same(render(parts, CAMERA, (97, 64), GREY, threads=pool), render(parts, CAMERA, (97, 64), GREY))


def test_the_order_of_parts_changes_nothing() -> None:
    parts = soup(4, 8)
    assert same(render(parts, CAMERA, (24, 24), GREY), render(parts[::-1], CAMERA, (24, 24), GREY))


def test_transparent_parts_are_mixed_from_back_to_front_in_linear_light() -> None:
    wall = quad(-1.0, (0.2, 0.8, 0.4))
    glasses = [quad(z, colour, material=replace(MATT, opacity=share)) for z, colour, share in LENSES]
    alone = [linear(render([replace(each, material=MATT)], CAMERA, (6, 6)).colour[3, 3, :3] / 255) for each in glasses]
    expected = linear(render([wall], CAMERA, (6, 6)).colour[3, 3, :3] / 255)
    for light, (_, _, share) in zip(alone, LENSES, strict=True):
        expected = share * light + (1 - share) * expected
    pictures = [render([*order, wall], CAMERA, (6, 6), GREY) for order in (glasses, glasses[::-1])]
    assert same(*pictures)
    np.testing.assert_allclose(linear(pictures[0].colour[3, 3] / 255), expected, atol=0.012)
    assert (pictures[0].parts == PARTS.index("lashes") + 1).all()
    np.testing.assert_allclose(pictures[0].depth, 6.0, rtol=1e-5)


LENSES = ((0.0, (0.9, 0.1, 0.1), 0.3), (1.0, (0.1, 0.1, 0.9), 0.6))


def test_transparent_parts_behind_opaque_ones_are_hidden() -> None:
    lens = quad(-2.0, (1, 0, 0), material=replace(MATT, opacity=0.5))
    assert same(render([quad(0.0), lens], CAMERA, (8, 8)), render([quad(0.0)], CAMERA, (8, 8)))


def test_alpha_is_coverage() -> None:
    """A picture with alpha over a background, in linear light, is the picture with that background."""
    parts = soup(6, 4)
    clear, mixed = render(parts, CAMERA, (32, 32)).colour, render(parts, CAMERA, (32, 32), GREY).colour
    alpha = clear[..., 3:] / 255
    over = linear(clear[..., :3] / 255) * alpha + linear(np.array(GREY)) * (1 - alpha)
    assert ((alpha > 0) & (alpha < 1)).any()
    np.testing.assert_allclose(linear(mixed / 255), over, atol=0.01)


def test_textures_are_seen_in_perspective() -> None:
    """On a floor that recedes, the middle of a texture is nearer to the horizon than the middle of its picture."""
    coordinates = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float32)
    floor = part(
        [(-1, -1, 3), (1, -1, 3), (1, -1, -15), (-1, -1, -15)], [(0, 1, 2), (0, 2, 3)], coordinates=coordinates
    )
    texture = np.zeros((64, 4, 3), np.uint8)
    texture[:32] = 255  # the far half: v above one half
    colour = render([floor], CAMERA, (256, 256), (0.2, 0.2, 0.2), textures={"lashes": texture}).colour[:, 128, 0]
    focal = CAMERA.focal_pixels(256, 256)
    first, middle, last = (128 + focal / (CAMERA.distance - z) for z in (-15, -6, 3))
    bright = np.flatnonzero(colour > 100)
    assert bright.min() == pytest.approx(first, abs=1.5)
    assert bright.max() == pytest.approx(middle, abs=1.5)
    assert middle < (first + min(last, 256)) / 2 - 20


def test_small_pictures_read_small_textures() -> None:
    coordinates = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float32)
    texture = (np.indices((256, 256)).sum(0) % 2 * 255).astype(np.uint8)
    checks = quad(0.0, half=1.0, coordinates=coordinates)
    colour = render([checks], CAMERA, (32, 32), textures={"lashes": np.stack([texture] * 3, 2)}).colour
    plain = render([quad(0.0, (0.735,) * 3, half=1.0)], CAMERA, (32, 32)).colour
    np.testing.assert_allclose(colour[12:20, 12:20].astype(int), plain[12:20, 12:20].astype(int), atol=3)


def test_framed_heads_fill_the_picture_and_stay_in_it() -> None:
    random = np.random.default_rng(0)
    directions = random.normal(size=(500, 3))
    points = directions / np.linalg.norm(directions, axis=1, keepdims=True) * (0.8, 1.2, 1.0) + (1, 7, 2)
    head = part(points, random.integers(0, 500, (800, 3)), name="skin")
    cloth = part([(-9, 0, 0), (9, 0, 0), (0, 1, 0)], [0, 1, 2], name="clothes")
    for yaw in (0.0, 45.0, 90.0):
        camera = framed([head, cloth], Camera(yaw_degrees=yaw))
        rows, columns = np.nonzero(render([head], camera, (64, 64)).parts)
        assert min(rows.min(), columns.min()) >= 1
        assert max(rows.max(), columns.max()) <= 62
        assert np.ptp(rows) > 44
    with pytest.raises(ValueError, match="to frame"):
        framed([cloth])


BROKEN = {
    "named 'wig'": part([], [], name="wig"),
    "not finite": part([(0, 0, np.nan)] * 3, [0, 1, 2]),
    "coordinates of part lashes that are not finite": part(
        [(0, 0, 0)] * 3, [0, 1, 2], coordinates=np.full((3, 2), np.nan, np.float32)
    ),
    "beyond its 3": part([(0, 0, 0)] * 3, [0, 1, 3]),
    "colours": replace(part([(0, 0, 0)] * 3, [0, 1, 2]), colours=np.zeros((2, 3), np.float32)),
    "coordinates": replace(part([(0, 0, 0)] * 3, [0, 1, 2]), texture_coordinates=np.zeros((2, 2), np.float32)),
}


@pytest.mark.parametrize("message", BROKEN)
def test_broken_parts_are_refused(message: str) -> None:
    with pytest.raises(ValueError, match=message):
        render([BROKEN[message]], CAMERA, (8, 8))


def test_other_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="0x8 pixels"):
        render([], CAMERA, (0, 8))
    with pytest.raises(ValueError, match="texture for"):
        render([quad(0.0)], CAMERA, (8, 8), textures={"lashes": np.zeros((2, 2, 3), np.uint8)})
    with pytest.raises(ValueError, match="background"):
        render([], CAMERA, (8, 8), (0.0, 1.5, float("nan")))
    flat = quad(0.0, coordinates=np.zeros((4, 2), np.float32))
    for shape in ((2, 2), (0, 2, 3), (2, 2, 4)):
        texture = np.zeros(shape, np.uint8)
        with pytest.raises(ValueError, match=r"\(H, W, 3\) uint8"):
            render([flat], CAMERA, (8, 8), textures={"lashes": texture})
    for wrong in ({"field_of_view_degrees": 0.0}, {"distance_heads": -1.0}, {"yaw_degrees": float("nan")}):
        with pytest.raises(ValueError, match="got a"):
            Camera(**wrong)  # type: ignore[arg-type]
