"""Checks of glTF files for faults that Khronos' validator does not report and readers do not forgive."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from facepipe.avatar.units import UNITS
from facepipe.export.avatar_model import FULL_PARTS

HEADER_BYTES, CHUNK_HEADER_BYTES = 12, 8


def read_json(content: bytes) -> dict[str, Any]:
    """Return the JSON chunk of a .glb file."""
    start = HEADER_BYTES + CHUNK_HEADER_BYTES
    length = int.from_bytes(content[HEADER_BYTES : HEADER_BYTES + 4], "little")
    found: dict[str, Any] = json.loads(content[start : start + length])
    return found


def faults_of(content: bytes) -> list[str]:
    """Return what is wrong with the names and targets of a .glb file that facepipe wrote.

    - A mesh has one name per target, no name twice, all names of face units, in the order of UNITS.
    - All targets of a mesh have POSITION and NORMAL: three.js reads the base's normals where a target has none.
    - A target that moves nothing is only in parts that have all 52 units.
    - The weights of a mesh, and each frame of their animation, are as many as its targets.
    - No two nodes have one name, by which programs find them.
    """
    document = read_json(content)
    meshes = document["meshes"]
    return [
        *(f"mesh {mesh['name']}: {fault}" for mesh in meshes for fault in _mesh_faults(mesh, document["accessors"])),
        *_animation_faults(document),
        *_doubles("nodes", [node["name"] for node in document["nodes"]]),
    ]


def _mesh_faults(mesh: dict[str, Any], accessors: list[dict[str, Any]]) -> Iterator[str]:
    (primitive,) = mesh["primitives"]
    names = mesh.get("extras", {}).get("targetNames", [])
    targets = primitive.get("targets", [])
    if len(names) != len(targets):
        yield f"{len(names)} names of {len(targets)} targets"
    if len(mesh.get("weights", [])) != len(targets):
        yield f"{len(mesh.get('weights', []))} weights of {len(targets)} targets"
    yield from _doubles("targets", names)
    if names != [unit for unit in UNITS if unit in names]:
        yield "target names that are not face units in ARKit's order"
    if any(set(target) != {"POSITION", "NORMAL"} for target in targets):
        yield "targets without POSITION and NORMAL"
        return
    still = [
        name
        for name, target in zip(names, targets, strict=False)
        if not any(accessors[target["POSITION"]]["min"] + accessors[target["POSITION"]]["max"])
    ]
    if still and mesh["name"] not in FULL_PARTS:
        yield f"targets that move nothing: {', '.join(still)}"


def _animation_faults(document: dict[str, Any]) -> Iterator[str]:
    accessors, nodes = document["accessors"], document["nodes"]
    for animation in document.get("animations", []):
        for channel in animation["channels"]:
            sampler = animation["samplers"][channel["sampler"]]
            node = nodes[channel["target"]["node"]]
            times, values = (accessors[sampler[end]]["count"] for end in ("input", "output"))
            width = 1
            if channel["target"]["path"] == "weights":
                width = len(document["meshes"][node["mesh"]]["primitives"][0].get("targets", []))
            if values != times * width:
                yield f"animation of {node['name']}: {values} values in {times} frames of {width}"


def _doubles(what: str, names: list[str]) -> Iterator[str]:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        yield f"{what} of one name: {', '.join(twice)}"
