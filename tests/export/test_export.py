"""The folder of an avatar: its graph, its files, and the sampler without facepipe."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from facepipe.errors import InputError, ToolError, UsageError
from facepipe.export import models
from facepipe.export.checking import Check, checked
from facepipe.export.export import write_avatar
from facepipe.export.folder import NAMES, check_folder
from facepipe.export.head import Head, as_numpy, check_network
from facepipe.renderers.bilayer.inference import Layers
from facepipe.renderers.bilayer.merging import MergedGenerator
from facepipe.weights.saving import save_tensors
from tests.export.heads import small_head
from tests.renderers.bilayer.networks import SMALL, random_net

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Head:
    return small_head(tmp_path_factory.mktemp("networks"))


@pytest.fixture(scope="module")
def folder(head: Head, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("avatars") / "avatar"
    made = write_avatar(head, out, ["fp32", "fp16", "int8"], {"source": {"file": "a.png"}}, overwrite=False)
    assert made.changed
    assert {check.precision for check in made.checks} == {"fp32", "fp16", "int8"}
    return out


def test_nodes_are_of_five_kinds(head: Head) -> None:
    for precision in ("fp32", "fp16"):
        made = onnx.load_from_string(models.model_of(head, precision))
        assert {node.op_type for node in made.graph.node} == {"Conv", "LeakyRelu", "Resize", "Add", "Tanh"}
        assert [one.name for one in made.graph.output] == ["warp", "low", "mask"]
    int8 = {node.op_type for node in onnx.load_from_string(models.model_of(head, "int8")).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} < int8


def test_models_compute_what_torch_computes(head: Head) -> None:
    made = {name: models.model_of(head, name) for name in models.FILES}
    full, half, int8 = checked(head, made)
    assert full.largest_difference < 5e-4
    assert full.mean_levels < 0.01
    # Random networks with enlarged weights are steeper than trained ones.
    assert 1e-5 < half.largest_difference < 0.5
    assert half.mean_levels < 1
    assert half.mean_levels < int8.mean_levels < 40
    assert full.megabytes > 1.5 * half.megabytes
    assert full.over_fp32 == 1
    broken = replace(head, generator=replace_head(head))
    with pytest.raises(ToolError, match=r"other pictures than torch .* nothing was written"):
        checked(broken, {"fp32": models.model_of(broken, "fp32")})


def replace_head(head: Head) -> MergedGenerator:
    """Return a generator whose last layer differs from that of `head.frames`."""
    import copy

    other = copy.deepcopy(head.generator)
    torch.nn.init.normal_(other.head.weight)
    return other


def test_slow_and_wrong_precisions_are_named() -> None:
    fine = Check("int8", 0.1, 1.0, 20.0, 1.5, 1.2, 4.5)
    assert "WRONG" not in fine.text
    assert "SLOWER" not in fine.text
    assert (
        "WRONG, the pictures differ visibly; SLOWER than fp32 on this CPU"
        in replace(fine, mean_levels=3.0, over_fp32=0.5).text
    )


def test_the_sampler_runs_without_facepipe(head: Head, folder: Path, tmp_path: Path) -> None:
    """It draws what torch draws, by numpy, onnxruntime and Pillow alone."""
    assert len((folder / "sample.py").read_text("utf-8").splitlines()) <= 40
    assert len((folder / "README.md").read_text("utf-8").splitlines()) <= 10
    packages = {
        str(Path(str(spec.origin)).parents[1])
        for name in ("numpy", "PIL", "onnxruntime", "packaging")
        if (spec := find_spec(name))
    }
    program = (
        f"import runpy, sys; sys.path += {sorted(packages)!r}; sys.modules['facepipe'] = None; sys.modules['torch'] = "
        "None; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    frames = {}
    for precision in ("fp32", "fp16"):
        out = tmp_path / f"{precision}.png"
        # -S: without the packages of the environment, among which an installed facepipe would be.
        command = [sys.executable, "-I", "-S", "-c", program, str(folder / "sample.py"), str(out), precision]
        subprocess.run(command, check=True, cwd=tmp_path, timeout=120)
        frames[precision] = np.asarray(Image.open(out)).astype(int)
    expected = head.frames.render(head.keypoints)
    rgba = torch.cat([expected.rgb / 2 + 0.5, expected.mask], 1)[0].permute(1, 2, 0).numpy() * 255
    assert rgba[..., :3].std() > 20
    assert np.abs(frames["fp32"] - rgba).max() <= 1
    assert np.abs(frames["fp16"] - rgba).mean() < 1


def test_nothing_of_the_texture_is_clipped(head: Head, folder: Path) -> None:
    about = json.loads((folder / "avatar.json").read_text("utf-8"))
    low, high = about["texture"]["range"]
    assert low < -1.2
    coarse, fine = np.split(np.asarray(Image.open(folder / "texture.png")).astype(float), 2, axis=1)
    texture = (coarse * 256 + fine) / 65535 * (high - low) + low
    expected = as_numpy(head.texture)[0].transpose(1, 2, 0)
    assert np.abs(texture - expected).max() < (high - low) / 65535


def test_the_description_names_every_file(folder: Path) -> None:
    about = json.loads((folder / "avatar.json").read_text("utf-8"))
    assert (about["format"], about["version"], about["source"]) == ("facepipe-avatar", 1, {"file": "a.png"})
    assert {path.name for path in folder.iterdir()} == {*about["files"], "avatar.json"} == NAMES
    assert np.shape(about["example"]["keypoints"]) == (68, 2)
    covered = sorted(one for first, last in about["keypoints"]["parts"].values() for one in range(first, last + 1))
    assert covered == [*range(68)]


def test_a_folder_is_replaced_only_if_facepipe_wrote_it(head: Head, tmp_path: Path) -> None:
    out = tmp_path / "new" / "avatar"
    first = write_avatar(head, out, ["fp32", "fp16"], {}, overwrite=False)
    assert first.changed
    assert not write_avatar(head, out, ["fp32", "fp16"], {}, overwrite=False).changed
    assert write_avatar(head, out, ["fp32"], {}, overwrite=False).changed
    assert not (out / "model-fp16.onnx").exists()
    assert [path.name for path in out.parent.iterdir()] == ["avatar"]
    (out / "README.md").write_text("mine")
    with pytest.raises(InputError, match="was changed since; choose another folder"):
        write_avatar(head, out, ["fp32"], {}, overwrite=False)
    assert write_avatar(head, out, ["fp32"], {}, overwrite=True).changed
    (out / "notes.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(InputError, match=r"contains other files \(notes\.txt\)"):
            check_folder(out, overwrite=overwrite)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file or a link"):
        check_folder(tmp_path / "file", overwrite=True)


def test_harmonic_encoding_is_an_input(tmp_path: Path, head: Head) -> None:
    """The graph takes what the sampler encodes."""
    from facepipe.export.sample import frame
    from facepipe.renderers.bilayer.graph import head_graph
    from facepipe.renderers.bilayer.merging import Maps, merged

    net = random_net(replace(SMALL, harmonics=4))
    embeddings = [torch.randn(1, channels, 8, 8) for channels in (16, 16, 8)]
    generator = merged(net.inference_generator, net.inference_generator.prj_inf(embeddings), net.config)
    model = head_graph(net.keypoints_embedder, generator, net.config).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    points, texture = torch.rand(1, 68, 2) * 2 - 1, torch.rand(1, 3, 32, 32) * 2 - 1
    layers = net.inference_generator(net.keypoints_embedder(points), embeddings)
    made = frame(  # type: ignore[no-untyped-call]
        {"input": {"harmonics": 4}}, session, as_numpy(texture)[0].transpose(1, 2, 0), points[0].numpy()
    )
    maps = Maps(layers.delta, layers.low, layers.logits.sigmoid())
    rgb = Layers(*maps).compose(texture).clamp(-1, 1)[0].permute(1, 2, 0) / 2 + 0.5
    assert np.abs(made[..., :3] - rgb.numpy() * 255).max() <= 1.5
    assert np.abs(made[..., 3] - maps.mask[0, 0].numpy() * 255).max() <= 1.5


def test_heads_of_other_networks_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    for kind, why in (
        ("bilayer-compact", "needs the mesh.*Use --weights bilayer-official"),
        ("pirender", "'pirender'"),
    ):
        save_tensors({"a": torch.zeros(1)}, path, {"kind": kind, "config": "{}"})
        with pytest.raises(UsageError, match=why):
            check_network(path, kind)


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "PACKAGES", ("onnx", "no_such_package"))
    with pytest.raises(ToolError, match=r"needs no_such_package, .* pip install 'facepipe\[export\]'"):
        models.check_packages()
