"""The glTF files of avatars, read back by readers of other making."""

from __future__ import annotations

import io
import json
import re
import struct
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pygltflib", reason="needs the packages of facepipe[avatar]")

from facepipe.avatar.mesh import Morph, Part
from facepipe.avatar.units import UNITS
from facepipe.export.avatar_model import AvatarModel, avatar_model
from facepipe.export.gltf import to_glb
from facepipe.export.gltf_checks import faults_of
from facepipe.export.rigging import RiggedPart
from facepipe.export.take import Take
from tests.export.avatar_parts import POINTS, part, small_avatar, small_take
from tests.export.glb_reading import Glb

TOLERANCE_METRES = 1e-7


@pytest.fixture(scope="module")
def model() -> AvatarModel:
    return avatar_model(small_avatar(), POINTS)


@pytest.fixture(scope="module")
def glb(model: AvatarModel) -> Glb:
    return Glb(to_glb(model, small_take()))


def named_parts() -> list[tuple[str, Part]]:
    """Return the parts with the names of their nodes."""
    seen: Counter[str] = Counter()
    found = []
    for one in [each.part for each in small_avatar()]:
        seen[one.name] += 1
        found.append((one.name if seen[one.name] == 1 else f"{one.name}-{seen[one.name]}", one))
    return found


@pytest.mark.parametrize(("name", "given"), named_parts())
def test_positions_in_metres_and_linear_colours(glb: Glb, name: str, given: Part) -> None:
    places = glb.attribute(name, "POSITION") + glb.origin(name)
    assert np.abs(places - given.vertices * 0.1).max() < TOLERANCE_METRES
    # The definition of sRGB, IEC 61966-2-1.
    srgb = given.colours.astype(float)
    light = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    assert np.abs(glb.attribute(name, "COLOR_0") - light).max() < 1e-5
    indices = glb.values(glb.mesh(name)["primitives"][0]["indices"])
    assert (indices.reshape(-1, 3) == given.triangles).all()


def test_normals_point_outwards(glb: Glb) -> None:
    normals, places = glb.attribute("skin", "NORMAL"), glb.attribute("skin", "POSITION")
    assert np.abs(np.linalg.norm(normals, axis=1) - 1).max() < 1e-5
    away = places - places.mean(axis=0)
    assert ((normals * away).sum(axis=1) > 0.8 * np.linalg.norm(away, axis=1)).all()


@pytest.mark.parametrize(("name", "given"), named_parts())
def test_targets_are_the_morphs(glb: Glb, name: str, given: Part) -> None:
    mesh = glb.mesh(name)
    (primitive,) = mesh["primitives"]
    names = mesh.get("extras", {}).get("targetNames", [])
    assert names == [unit for unit in UNITS if name == "skin" or unit in given.morphs]
    assert mesh.get("weights", []) == [0] * len(names)
    for unit, target in zip(names, primitive.get("targets", []), strict=True):
        expected = np.zeros(given.vertices.shape)
        if unit in given.morphs:
            expected[given.morphs[unit].vertices] = given.morphs[unit].offsets * 0.1
        assert np.abs(glb.values(target["POSITION"]) - expected).max() < TOLERANCE_METRES
        assert target.keys() == {"POSITION", "NORMAL"}


def test_normals_of_a_target_are_those_of_the_moved_mesh(glb: Glb) -> None:
    (given,) = [one.part for one in small_avatar() if one.part.name == "skin"]
    for unit, target in zip(UNITS, glb.mesh("skin")["primitives"][0]["targets"], strict=True):
        moved = given.vertices.astype(float)
        if unit in given.morphs:
            moved[given.morphs[unit].vertices] += given.morphs[unit].offsets
        sums = np.zeros(moved.shape)
        for corners in given.triangles:
            a, b, c = moved[corners]
            sums[corners] += np.cross(b - a, c - a)
        expected = sums / np.linalg.norm(sums, axis=1, keepdims=True)
        assert np.abs(glb.attribute("skin", "NORMAL") + glb.values(target["NORMAL"]) - expected).max() < 1.1e-3


def test_sparse_targets_where_they_are_smaller(glb: Glb) -> None:
    accessors = glb.json["accessors"]
    kinds = Counter(
        "sparse" if "sparse" in accessors[one] else "dense" if "bufferView" in accessors[one] else "still"
        for mesh in glb.json["meshes"]
        for target in mesh["primitives"][0].get("targets", [])
        for one in target.values()
    )
    assert min(kinds[kind] for kind in ("sparse", "dense", "still")) > 0
    bases = [one for mesh in glb.json["meshes"] for one in mesh["primitives"][0]["attributes"].values()]
    assert not any("sparse" in accessors[one] for one in bases)


def test_the_head_turns_about_the_neck_and_clothes_stay(glb: Glb) -> None:
    nodes = [node["name"] for node in glb.json["nodes"]]
    children = {node["name"]: {nodes[i] for i in node.get("children", [])} for node in glb.json["nodes"]}
    assert [nodes[i] for i in glb.json["scenes"][0]["nodes"]] == ["avatar", "skin"]
    assert children["avatar"] == {"neck", "clothes"}
    assert children["neck"] == {"head"}
    assert children["head"] == set(nodes) - {"avatar", "neck", "head", "clothes", "skin"}
    assert np.allclose(glb.origin("head"), POINTS["neck"] * 0.1)
    assert np.allclose(glb.origin("eye-left"), POINTS["eye-left"] * 0.1)


def test_the_neck_bends(glb: Glb) -> None:
    (skin,) = glb.json["skins"]
    assert [glb.json["nodes"][joint]["name"] for joint in skin["joints"]] == ["neck", "head"]
    (given,) = [one for one in small_avatar() if one.part.name == "skin"]
    joints, weights = glb.attribute("skin", "JOINTS_0"), glb.attribute("skin", "WEIGHTS_0")
    head = np.where(joints == 1, weights, 0).sum(axis=1)
    assert np.abs(head - given.turning).max() < 1e-7
    assert np.abs(weights.sum(axis=1) - 1).max() < 1e-7
    assert (joints[weights == 0] == 0).all()
    # Matrices are column-major: at rest, joint times matrix leaves a vertex where it is.
    for joint, columns in zip(skin["joints"], glb.values(skin["inverseBindMatrices"]), strict=True):
        place = np.eye(4)
        place[:3, 3] = glb.origin(glb.json["nodes"][joint]["name"])
        assert np.abs(place @ columns.reshape(4, 4).T - np.eye(4)).max() < 1e-7
    assert "skin" in glb.node("skin")
    assert not any("skin" in glb.node(name) for name in ("eye-left", "lashes", "clothes"))


def test_materials(glb: Glb) -> None:
    found = {
        node["name"]: glb.json["materials"][glb.mesh(node["name"])["primitives"][0]["material"]]
        for node in glb.json["nodes"]
        if "mesh" in node
    }
    assert (found["glasses"]["alphaMode"], found["glasses"]["pbrMetallicRoughness"]["baseColorFactor"]) == (
        "BLEND",
        [1, 1, 1, 0.3],
    )
    assert found["skin"]["alphaMode"] == "OPAQUE"
    assert found["glasses"]["pbrMetallicRoughness"]["roughnessFactor"] == 0.1
    assert {name for name, material in found.items() if material["doubleSided"]} == {"lashes"}
    assert all(material["pbrMetallicRoughness"]["metallicFactor"] == 0 for material in found.values())


def test_keys_are_the_take(glb: Glb) -> None:
    take = small_take()
    for node in ("skin", "eye-left", "lashes", "glasses-2"):
        times, weights = glb.channel(node, "weights")
        assert np.abs(times - np.arange(7) * 1001 / 30000).max() < 1e-7
        columns = [UNITS.index(name) for name in glb.mesh(node)["extras"]["targetNames"]]
        assert np.abs(weights.reshape(7, -1) - take.weights[:, columns]).max() < 1e-7
    _, quaternions = glb.channel("head", "rotation")
    for (x, y, z, w), rotation in zip(quaternions.astype(float), take.rotations, strict=True):
        expected = [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
        assert np.abs(expected - rotation).max() < 1e-6
    assert ((quaternions[1:] * quaternions[:-1]).sum(axis=1) > 0).all()
    assert len(glb.json["animations"][0]["channels"]) == 1 + sum("extras" in mesh for mesh in glb.json["meshes"])


def test_a_head_without_a_take_has_no_animation(model: AvatarModel) -> None:
    assert "animations" not in Glb(to_glb(model)).json


def test_equal_arguments_give_equal_bytes(model: AvatarModel) -> None:
    again = avatar_model(small_avatar()[::-1], POINTS)
    one = to_glb(model, small_take(), copyright_line="Ä", about={"b": 1, "a": [2]})
    assert one == to_glb(model, small_take(), copyright_line="Ä", about={"b": 1, "a": [2]})
    assert [mesh.name for mesh in again.meshes] == [mesh.name for mesh in model.meshes]
    asset = Glb(one).json["asset"]
    assert (asset["copyright"], asset["extras"], asset["version"]) == ("Ä", {"b": 1, "a": [2]}, "2.0")
    assert asset["generator"].startswith("facepipe ")


def test_a_second_reader_sees_the_same_meshes(model: AvatarModel) -> None:
    trimesh = pytest.importorskip("trimesh")
    scene = trimesh.load(io.BytesIO(to_glb(model, small_take())), file_type="glb", process=False)
    for name, given in named_parts():
        transform, geometry = scene.graph[name]
        mesh = scene.geometry[geometry]
        places = np.asarray(mesh.vertices) @ transform[:3, :3].T + transform[:3, 3]
        assert np.abs(places - given.vertices * 0.1).max() < TOLERANCE_METRES
        assert (np.asarray(mesh.faces) == given.triangles).all()


def test_a_texture_takes_the_place_of_the_colours() -> None:
    picture = b"\x89PNG\r\n\x1a\n" + b"content"
    plain = avatar_model(small_avatar(), POINTS)
    meshes = tuple(replace(one, texture=picture) if one.name == "skin" else one for one in plain.meshes)
    glb = Glb(to_glb(replace(plain, meshes=meshes)))
    (primitive,) = glb.mesh("skin")["primitives"]
    assert "COLOR_0" not in primitive["attributes"]
    (given,) = [one.part for one in small_avatar() if one.part.name == "skin"]
    assert given.texture_coordinates is not None
    u, v = given.texture_coordinates.T
    assert np.abs(glb.attribute("skin", "TEXCOORD_0") - np.stack([u, 1 - v], axis=1)).max() < 1e-6
    material = glb.json["materials"][primitive["material"]]
    texture = glb.json["textures"][material["pbrMetallicRoughness"]["baseColorTexture"]["index"]]
    image = glb.json["images"][texture["source"]]
    view = glb.json["bufferViews"][image["bufferView"]]
    assert image["mimeType"] == "image/png"
    assert glb.binary[view["byteOffset"] :][: view["byteLength"]] == picture


def changed(content: bytes, change: Any) -> bytes:
    """Return a .glb file with another JSON chunk."""
    size = struct.unpack_from("<I", content, 12)[0]
    document = json.loads(content[20 : 20 + size])
    change(document)
    text = json.dumps(document).encode()
    return content[:12] + struct.pack("<I4s", len(text), b"JSON") + text + content[20 + size :]


def skin_of(document: Any) -> Any:
    return next(mesh for mesh in document["meshes"] if mesh["name"] == "skin")


def test_checks_find_what_the_validator_does_not(model: AvatarModel) -> None:
    content = to_glb(model, small_take())
    assert faults_of(content) == []

    def short(document: Any) -> None:
        skin_of(document)["extras"]["targetNames"].pop()

    def double(document: Any) -> None:
        skin_of(document)["extras"]["targetNames"][1] = UNITS[0]

    def order(document: Any) -> None:
        skin_of(document)["extras"]["targetNames"].reverse()

    def plain(document: Any) -> None:
        del skin_of(document)["primitives"][0]["targets"][3]["NORMAL"]

    def still(document: Any) -> None:
        mesh = next(mesh for mesh in document["meshes"] if mesh["name"] == "lashes")
        mesh["primitives"][0]["targets"][0]["POSITION"] = skin_of(document)["primitives"][0]["targets"][51]["POSITION"]

    def frames(document: Any) -> None:
        sampler = document["animations"][0]["samplers"][1]
        document["accessors"][sampler["output"]]["count"] -= 1

    def nodes(document: Any) -> None:
        document["nodes"][3]["name"] = document["nodes"][2]["name"]

    expected = {
        short: "51 names of 52",
        double: "one name: eyeBlinkLeft",
        order: "ARKit's order",
        plain: "NORMAL",
        still: "move nothing: eyeBlinkLeft",
        frames: "animation of skin",
        nodes: "nodes of one name",
    }
    for change, text in expected.items():
        assert any(text in fault for fault in faults_of(changed(content, change))), change.__name__


def test_refusals() -> None:
    skin = part("skin", 0, ("jawOpen",))
    far = Morph(np.array([999], np.int32), np.zeros((1, 3), np.float32))
    twice = Morph(np.array([1, 1], np.int32), np.ones((2, 3), np.float32))
    endless = skin.vertices.copy()
    endless[3, 1] = np.nan
    wrong = {
        "a part named 'nose'": replace(skin, name="nose"),
        "morphs ['jawopen']": replace(skin, morphs={"jawopen": far}),
        "beyond its 84": replace(skin, morphs={"jawOpen": far}),
        "twice": replace(skin, morphs={"jawOpen": twice}),
        "not finite": replace(skin, vertices=endless),
        "triangles of part skin": replace(skin, triangles=np.zeros((0, 3), np.int32)),
    }
    for message, one in wrong.items():
        with pytest.raises(ValueError, match=re.escape(message)):
            avatar_model([RiggedPart(one, np.ones(84, np.float32))], POINTS)
    with pytest.raises(ValueError, match="shares of the rotation"):
        avatar_model([RiggedPart(skin, np.full(84, 1.5, np.float32))], POINTS)
    for weights, rotations in (((0, 52), (0, 3, 3)), ((2, 51), (2, 3, 3)), ((2, 52), (3, 3, 3))):
        with pytest.raises(ValueError, match="expected"):
            Take(Fraction(25), np.zeros(weights), np.zeros(rotations))
    with pytest.raises(ValueError, match="not finite"):
        Take(Fraction(25), np.full((1, 52), np.nan), np.eye(3)[None])
