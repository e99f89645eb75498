"""Wavefront OBJ: the neutral head as text, for programs that read no other form.

Vertex colours follow the coordinates, in sRGB, as MeshLab and Blender read them. Programs that do not read them show
the mean colour of each part, which the materials have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from facepipe import __version__
from facepipe.export.avatar_model import AvatarModel, Mesh, Numbers


def to_obj(model: AvatarModel, name: str) -> dict[str, bytes]:
    """Return the files of an avatar by suffix: ".obj", ".mtl", and ".png" of a texture. `name` is their common stem."""
    head = [f"# facepipe {__version__}; metres, y up", f"mtllib {name}.mtl"]
    materials: list[str] = [f"# facepipe {__version__}"]
    first = 1
    for mesh in model.meshes:
        head.extend(_mesh(mesh, first))
        materials.extend(_material(mesh, name))
        first += len(mesh.positions)
    files = {".obj": _text(head), ".mtl": _text(materials)}
    for mesh in model.meshes:
        if mesh.texture is not None:
            assert ".png" not in files, "textures of several parts"
            files[".png"] = mesh.texture
    return files


def _mesh(mesh: Mesh, first: int) -> Iterator[str]:
    """Yield the lines of a mesh whose first vertex has the number `first`."""
    yield f"o {mesh.name}"
    yield f"usemtl {mesh.name}"
    yield "s 1"
    yield from _rows("v", np.concatenate([mesh.positions + mesh.origin, mesh.colours], axis=1))
    # Coordinates are numbered by themselves, so that every mesh has some.
    coordinates = np.zeros((len(mesh.positions), 2)) if mesh.texture_coordinates is None else mesh.texture_coordinates
    yield from _rows("vt", coordinates)
    yield from _rows("vn", mesh.normals)
    for triangle in (mesh.triangles + first).tolist():
        yield "f " + " ".join(f"{corner}/{corner}/{corner}" for corner in triangle)


def _rows(kind: str, rows: Numbers) -> Iterator[str]:
    for row in rows.tolist():
        # Adding zero turns -0 into 0.
        yield f"{kind} " + " ".join(f"{round(number, 6) + 0.0:.6f}" for number in row)


def _material(mesh: Mesh, name: str) -> Iterator[str]:
    colour = np.ones(3) if mesh.texture is not None else mesh.colours.mean(axis=0)
    yield f"newmtl {mesh.name}"
    yield from _rows("Kd", colour[None])
    yield f"d {mesh.material.opacity:.6f}"
    yield f"Pr {mesh.material.roughness:.6f}"
    yield "Pm 0"
    if mesh.texture is not None:
        yield f"map_Kd {name}.png"


def _text(lines: Iterable[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()
