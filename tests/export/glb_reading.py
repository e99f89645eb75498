"""A reader of .glb files from the specification alone, for comparison with what was written."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

KINDS = {5121: "<u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Glb:
    """A .glb file."""

    def __init__(self, content: bytes) -> None:
        magic, version, length = struct.unpack_from("<4sII", content)
        assert (magic, version, length) == (b"glTF", 2, len(content))
        size, kind = struct.unpack_from("<I4s", content, 12)
        assert kind == b"JSON"
        self.json: dict[str, Any] = json.loads(content[20 : 20 + size])
        rest, kind = struct.unpack_from("<I4s", content, 20 + size)
        assert kind == b"BIN\0"
        assert 28 + size + rest == length
        self.binary = content[28 + size :]

    def values(self, number: int) -> Any:
        """Return the rows of an accessor, with those that a sparse one replaces."""
        accessor = self.json["accessors"][number]
        width, kind = WIDTHS[accessor["type"]], KINDS[accessor["componentType"]]
        rows = np.zeros((accessor["count"], width), kind)
        if "bufferView" in accessor:
            rows = self._rows(accessor["bufferView"], accessor["count"], width, kind)
        if sparse := accessor.get("sparse"):
            where = self._rows(
                sparse["indices"]["bufferView"], sparse["count"], 1, KINDS[sparse["indices"]["componentType"]]
            )
            assert (np.diff(where[:, 0].astype(int)) > 0).all()
            rows[where[:, 0]] = self._rows(sparse["values"]["bufferView"], sparse["count"], width, kind)
        if "min" in accessor:
            assert rows.min(axis=0).tolist() == np.array(accessor["min"], kind).tolist()
            assert rows.max(axis=0).tolist() == np.array(accessor["max"], kind).tolist()
        return rows

    def _rows(self, view: int, count: int, width: int, kind: str) -> Any:
        found = self.json["bufferViews"][view]
        assert found["byteLength"] == count * width * np.dtype(kind).itemsize
        start = found.get("byteOffset", 0)
        assert start % 4 == 0
        return np.frombuffer(self.binary, kind, count * width, start).reshape(count, width).copy()

    def node(self, name: str) -> dict[str, Any]:
        """Return the node of a name."""
        (found,) = [node for node in self.json["nodes"] if node["name"] == name]
        return dict(found)

    def mesh(self, name: str) -> dict[str, Any]:
        """Return the mesh of a node."""
        return dict(self.json["meshes"][self.node(name)["mesh"]])

    def attribute(self, name: str, attribute: str) -> Any:
        """Return the values of an attribute of a node's mesh."""
        return self.values(self.mesh(name)["primitives"][0]["attributes"][attribute])

    def origin(self, name: str) -> Any:
        """Return the place (3,) of a node without rotation."""
        number = [node["name"] for node in self.json["nodes"]].index(name)
        place = np.zeros(3)
        while True:
            place += self.json["nodes"][number].get("translation", [0, 0, 0])
            above = [i for i, node in enumerate(self.json["nodes"]) if number in node.get("children", [])]
            if not above:
                return place
            (number,) = above

    def channel(self, node: str, path: str) -> tuple[Any, Any]:
        """Return times and values of an animation's channel."""
        (animation,) = self.json["animations"]
        for channel in animation["channels"]:
            target = channel["target"]
            if (self.json["nodes"][target["node"]]["name"], target["path"]) == (node, path):
                sampler = animation["samplers"][channel["sampler"]]
                assert sampler["interpolation"] == "LINEAR"
                return self.values(sampler["input"])[:, 0], self.values(sampler["output"])
        raise KeyError((node, path))
