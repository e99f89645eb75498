"""The compiled head: one file with all that avatars need of the head's source."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from facepipe.avatar.mesh import Floats, Indices, Morph
from facepipe.avatar.regions import LANDMARKS, REGIONS
from facepipe.avatar.template import Template
from facepipe.errors import InputError

ENGINE_VERSION = 2
"""Raised whenever the same avatar vector gives another mesh."""
HEAD_PARTS = ("skin", "eye-left", "eye-right", "teeth-upper", "teeth-lower", "tongue", "lashes")
OPENINGS = ("mouth", "lid-left", "lid-right")
GENDERS = ("female", "male")
AGES = ("child", "young", "old")
ANCESTRIES = ("african", "asian", "caucasian")
WEIGHTS = ("minweight", "maxweight")
JOINTS = ("joint-neck", "joint-head", "joint-head-2", "joint-l-eye", "joint-r-eye", "joint-jaw")
"""Centres of the source's joint cubes, which follow the targets; vertices of the head after those of its parts."""


@dataclass(frozen=True, eq=False)
class Head:
    """The neutral head and what changes its shape. Its N vertices are those of HEAD_PARTS, then the JOINTS."""

    template: Template
    vertices: Floats
    """(N, 3), decimetres: the mean adult."""
    spans: Mapping[str, slice]
    """The vertices of each part."""
    triangles: Mapping[str, Indices]
    """(M, 3) by part, of its own vertices."""
    people: Floats
    """(2, 3, 3, N, 3), displacements to the mean person of each gender, age and ancestry, of one size of skull."""
    weights: Floats
    """(2, 3, 2, N, 3), displacements by gender and age to least and greatest weight."""
    targets: Mapping[str, Morph]
    """Shape targets by name, such as "nose/nose-volume-incr"."""
    units: Floats
    """(52, N, 3), displacements by face unit."""
    turning: Floats
    """(N,), share of the head's rotation that each vertex takes: 1 on the head, falling to 0 down the neck."""
    digest: str
    """sha256 of the file, 64 hex digits."""

    def joint(self, name: str) -> int:
        """Return the vertex of a joint."""
        return len(self.vertices) - len(JOINTS) + JOINTS.index(name)


def save_head(head: Head, path: Path) -> None:
    """Write a head to a safetensors file; its digest is not written. Equal heads give equal bytes.

    The header has the sha256 of the tensors, by which `load_head` detects damage.
    """
    template = head.template
    tensors = {
        "vertices": head.vertices,
        "people": head.people,
        "weights": head.weights,
        "units": head.units,
        "turning": head.turning,
        "template.normals": template.normals,
        "template.texture_coordinates": template.texture_coordinates,
        "template.mirror": template.mirror,
        "template.landmarks": np.array([template.landmarks[name] for name in LANDMARKS], np.int32),
        **{f"triangles.{part}": triangles for part, triangles in head.triangles.items()},
        **{f"region.{name}": template.regions[name] for name in REGIONS},
        **{f"rings.{name}": template.rings[name] for name in OPENINGS},
    }
    morphs = list(head.targets.values())
    tensors["targets.lengths"] = np.array([len(morph.vertices) for morph in morphs], np.int32)
    tensors["targets.vertices"] = np.concatenate([morph.vertices for morph in morphs])
    tensors["targets.offsets"] = np.concatenate([morph.offsets for morph in morphs])
    header = {
        "engine": ENGINE_VERSION,
        "spans": {part: [span.start, span.stop] for part, span in head.spans.items()},
        "targets": list(head.targets),
    }
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    header["sha256"] = hashlib.sha256(_data(save(tensors))).hexdigest()
    # One entry, because safetensors writes several in random order.
    path.write_bytes(save(tensors, {"head": json.dumps(header)}))


def _data(content: bytes) -> memoryview:
    """Return the tensors' bytes of a safetensors file."""
    return memoryview(content)[8 + int.from_bytes(content[:8], "little") :]


def load_head(path: Path) -> Head:
    """Read a file of `save_head`. Raises InputError if it cannot be read, is damaged or of another engine."""
    try:
        content = path.read_bytes()
        tensors = load(content)
        length = int.from_bytes(content[:8], "little")
        header = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["head"])
        if header["engine"] != ENGINE_VERSION:
            raise ValueError(f"it is of version {header['engine']} of the engine, not {ENGINE_VERSION}")
        if header["sha256"] != hashlib.sha256(_data(content)).hexdigest():
            raise ValueError("its content was changed")
        return _head(tensors, header, hashlib.sha256(content).hexdigest())
    except (SafetensorError, LookupError, TypeError, AttributeError, ValueError, OSError, RecursionError) as error:
        raise InputError(f"{str(path)!r} is no compiled head ({error}): remove it, and it is compiled again") from None


def _head(tensors: dict[str, NDArray[Any]], header: dict[str, Any], digest: str) -> Head:
    spans = {part: slice(*span) for part, span in header["spans"].items()}
    triangles = {part: tensors[f"triangles.{part}"] for part in HEAD_PARTS}
    ends = np.cumsum(tensors["targets.lengths"])[:-1]
    morphs = zip(np.split(tensors["targets.vertices"], ends), np.split(tensors["targets.offsets"], ends), strict=True)
    template = Template(
        vertices=tensors["vertices"][spans["skin"]],
        normals=tensors["template.normals"],
        triangles=triangles["skin"],
        texture_coordinates=tensors["template.texture_coordinates"],
        mirror=tensors["template.mirror"],
        regions={name: tensors[f"region.{name}"] for name in REGIONS},
        rings={name: tensors[f"rings.{name}"] for name in OPENINGS},
        landmarks=dict(zip(LANDMARKS, tensors["template.landmarks"].tolist(), strict=True)),
    )
    return Head(
        template=template,
        vertices=tensors["vertices"],
        spans=spans,
        triangles=triangles,
        people=tensors["people"],
        weights=tensors["weights"],
        targets={name: Morph(*morph) for name, morph in zip(header["targets"], morphs, strict=True)},
        units=tensors["units"],
        turning=tensors["turning"],
        digest=digest,
    )
