"""The compiled head: its file, and what is known of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facepipe.avatar import compiling
from facepipe.avatar.compiling import compile_to, open_head
from facepipe.avatar.head import ENGINE_VERSION, HEAD_PARTS, Head, load_head, save_head
from facepipe.avatar.regions import LANDMARKS, REGIONS
from facepipe.avatar.selection import select
from facepipe.avatar.source import BASE, read_base, read_target
from facepipe.avatar.units import UNITS
from facepipe.errors import InputError


def test_equal_heads_give_equal_files(head: Head, head_file: Path, tmp_path: Path) -> None:
    save_head(head, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == head_file.read_bytes()
    assert load_head(tmp_path / "again.safetensors").digest == head.digest


@pytest.mark.slow
def test_compiling_again_gives_equal_bytes(source: Path, head_file: Path, tmp_path: Path) -> None:
    compile_to(tmp_path / "again.safetensors", source)
    assert (tmp_path / "again.safetensors").read_bytes() == head_file.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["again.safetensors"]


def test_head_is_compiled_where_it_is_missing_or_damaged(
    head_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path))
    monkeypatch.setattr(compiling, "data_folder", lambda: Path())
    made: list[Path] = []

    def compile_quickly(path: Path, _source: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(head_file.read_bytes())
        made.append(path)

    monkeypatch.setattr(compiling, "compile_to", compile_quickly)
    compiling._opened.cache_clear()
    assert open_head() is open_head()
    assert made == [compiling.head_file()]
    made[0].write_bytes(head_file.read_bytes()[:-100])
    compiling._opened.cache_clear()
    assert open_head().digest == load_head(head_file).digest
    assert len(made) == 2


@pytest.mark.parametrize("content", [b"", b"nothing", bytes(100)])
def test_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "head").write_bytes(content)
    with pytest.raises(InputError, match=r"head.*remove it"):
        load_head(tmp_path / "head")


def test_parts_regions_and_landmarks_are_there(head: Head) -> None:
    assert tuple(head.spans) == tuple(head.triangles) == HEAD_PARTS
    assert set(head.template.regions) == set(REGIONS)
    assert all(len(vertices) for vertices in head.template.regions.values())
    assert tuple(head.template.landmarks) == LANDMARKS
    for part, triangles in head.triangles.items():
        span = head.spans[part]
        assert (triangles.min(), triangles.max()) == (0, span.stop - span.start - 1)


def test_left_is_at_positive_x_and_mirrors_right(head: Head) -> None:
    template = head.template
    for name in REGIONS:
        if name.endswith("-left"):
            right = template.regions[name.replace("left", "right")]
            assert (template.vertices[template.regions[name], 0] > 0).all()
            assert set(template.mirror[template.regions[name]]) == set(right)
    mirrored = template.vertices[template.mirror] * [-1, 1, 1]
    assert np.abs(mirrored - template.vertices).max() < 0.02


def test_skin_is_wound_outwards(head: Head) -> None:
    template = head.template
    outer = np.concatenate([template.regions[name] for name in ("forehead", "scalp", "chin", "cheek-left")])
    away = template.vertices[outer] - np.array([0, 7.2, 0.3])
    assert ((away * template.normals[outer]).sum(axis=1) > 0).mean() > 0.98


def test_landmarks_lie_where_their_names_say(head: Head) -> None:
    template = head.template
    place = {name: template.vertices[vertex] for name, vertex in template.landmarks.items()}
    heights = [
        place[name][1]
        for name in ("crown", "hairline", "forehead", "nose-bridge", "nose-tip", "lip-top", "chin-tip", "throat")
    ]
    assert heights == sorted(heights, reverse=True)
    assert place["ear-lobe-left"][1] < place["ear-front-left"][1] < place["ear-top-left"][1] + 0.05
    assert place["eye-inner-left"][0] < place["eye-outer-left"][0] < place["ear-front-left"][0]
    assert place["nape"][2] < 0 < place["nose-tip"][2]


def test_targets_and_units_are_those_of_the_source(head: Head, source: Path) -> None:
    """Compiled displacements are the source's, rounded, at the kept vertices."""
    selection = select(read_base(source / BASE))
    for name in ("nose/nose-volume-incr", "ears/l-ear-wing-incr"):
        read = read_target(source / f"mpfb2/targets/{name}.target.gz").dense(19158)[selection.vertices]
        compiled = np.zeros_like(head.vertices)
        compiled[head.targets[name].vertices] = head.targets[name].offsets
        assert np.abs(compiled[: len(read)] - read).max() < 1e-6
    read = read_target(source / "faceunits01/targets/faceunits/jawOpen.target").dense(19158)[selection.vertices]
    assert np.abs(head.units[UNITS.index("jawOpen"), : len(read)] - read).max() < 1e-6


def test_lower_teeth_and_tongue_follow_the_jaw(head: Head) -> None:
    jaw = head.units[UNITS.index("jawOpen")]
    assert jaw[head.spans["teeth-lower"], 1].mean() < -0.1
    assert jaw[head.spans["tongue"], 1].mean() < -0.02
    assert np.abs(jaw[head.spans["teeth-upper"]]).max() < 0.01


def test_all_people_have_one_size_of_skull(head: Head) -> None:
    skull = head.template.regions["scalp"]
    people = head.vertices + head.people
    sizes = np.sqrt(people[..., skull, :].var(axis=-2).sum(axis=-1))
    assert sizes.max() / sizes.min() < 1.12
    joints = people[..., head.joint("joint-head"), :].reshape(-1, 3)
    assert np.ptp(joints, axis=0).max() < 1e-4


def test_a_head_that_cannot_be_kept_serves_its_process(
    head: Head, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path / "file"))
    monkeypatch.setattr(compiling, "data_folder", lambda: tmp_path)
    compiled: list[Path] = []

    def compile_quickly(source: Path) -> Head:
        compiled.append(source)
        return head

    monkeypatch.setattr(compiling, "compile_head", compile_quickly)
    compiling._opened.cache_clear()
    assert open_head().digest == head.digest
    compiled.clear()
    assert open_head() is open_head()
    assert len(compiled) <= 2  # to try the folder again


def test_any_change_of_a_file_is_found(head_file: Path, tmp_path: Path) -> None:
    content, path = head_file.read_bytes(), tmp_path / "head"
    # A byte in the midst of the tensors, the end, and the header.
    for damaged in (
        content[: len(content) // 2] + bytes([content[len(content) // 2] ^ 1]) + content[len(content) // 2 + 1 :],
        content[:-1] + bytes([content[-1] ^ 1]),
        content.replace(b'\\"spans\\": {', b'\\"spans\\": 5{', 1),
        content.replace(f'\\"engine\\": {ENGINE_VERSION}'.encode(), b'\\"engine\\": 0', 1),
    ):
        assert damaged != content
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="is no compiled head"):
            load_head(path)


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no compiled head"):
        load_head(tmp_path)
